"""A camera that turns and zooms on the spot: how its picture moves, and the turn that is nearest to a given motion."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

Floats = npt.NDArray[np.float64]

_POINTS = 400  # that the fit looks at
_USUAL_PX = 0.5  # errors from which on they count by their length and no longer by its square
# of the logarithms of focal length over the camera's and of zoom, and of the turn. From twenty times the camera's focal
# length on a turn is a shift of the picture; turns of wider lenses than these (100 degrees for the usual 48) come as
# near to a drive over bare ground as pans do
_LOW, _HIGH = (-1.0, -1.5, -2.0, -2.0, -2.0), (3.0, 1.5, 2.0, 2.0, 2.0)
_LEAST_AHEAD = 0.05  # of the focal length: what turns out of sight stays finite


@dataclass(frozen=True)
class Turn:
    """A rotation between two views from one place, and their focal lengths: a homography that no travel causes."""

    focal_px: float
    zoom: float  # focal length of the second view over that of the first
    rotation: Floats  # [3] rotation vector, first camera to second
    centre_px: Floats  # [2] principal point

    def __call__(self, points: Floats) -> Floats:
        """Where points ``[n, 2]`` of the first view are in the second, in pixels."""
        rays = np.c_[(points - self.centre_px) / self.focal_px, np.ones(len(points))] @ _matrix(self.rotation).T
        ahead = np.maximum(rays[:, 2:], _LEAST_AHEAD)
        moved: Floats = rays[:, :2] / ahead * (self.focal_px * self.zoom) + self.centre_px
        return moved


def nearest_turn(points: Floats, landings: Floats, K: Floats) -> Turn:
    """The turn of a camera ``K`` ``[3, 3]`` that leads ``points`` nearest to ``landings``, both ``[n, 2]`` in pixels.

    Least squares with a soft threshold (SciPy's trust region reflective, loss ``soft_l1``). The focal length is free
    too: of footage it is a guess, and a picture that slides is a turn of a camera that is far away. Raises
    ``ValueError`` without points, or for what is not finite.
    """
    if len(points) > _POINTS:
        chosen = np.random.default_rng(0).choice(len(points), _POINTS, replace=False)
        points, landings = points[chosen], landings[chosen]
    centre, focal = K[:2, 2], float(K[0, 0])

    def turn(x: Floats) -> Turn:
        scale, zoom = np.exp(x[:2])
        return Turn(focal * scale, zoom, x[2:], centre)

    across, down = np.median(landings - points, axis=0) / focal
    start = np.clip([0.0, 0.0, -down, across, 0.0], _LOW, _HIGH)
    found = least_squares(
        lambda x: (turn(x)(points) - landings).ravel(),
        start,
        bounds=(_LOW, _HIGH),
        x_scale="jac",
        loss="soft_l1",
        f_scale=_USUAL_PX,
        max_nfev=60,
    )
    return turn(found.x)


def _matrix(rotation: Floats) -> Floats:
    matrix: Floats = cv2.Rodrigues(rotation)[0]
    return matrix
