"""COLMAP on features that are matched already: ``python -m worldr1.estimators.structure_process FOLDER``.

Reads FOLDER/given.npz (``size`` [height, width], ``K`` [3, 3], ``tolerance_px``, ``points_I`` [n, 2] pixels with the
first one's centre at (0.5, 0.5), as COLMAP has it, ``pair_I_J`` [m, 2] indices) and writes FOLDER/found.npz (``c2w``
[frames, 4, 4], NaN where not registered, ``points``, ``views``, ``error_px``, ``with_parallax``: pairs of frames whose
matches are no homography). Imports neither OpenCV nor torch.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pycolmap

Array = npt.NDArray[Any]

_SEED = 0
# (smallest angle of the first pair's points in degrees, largest share of its motion that may be forward). Where the
# camera pushes in, the first pair may be explained by a wrong camera as well, which further frames then follow with
# shorter tracks: of these starts the one with the longest is kept
_STARTS = ((4.0, 0.95), (2.0, 0.95), (4.0, 1.0))
_LEAST_INLIERS, _LEAST_REGISTERING = 30, 15
_LEAST_ANGLE_DEG = 0.5  # between a point's rays; neighbouring frames of a video are close together


def fill(database: pycolmap.Database, given: dict[str, Array]) -> tuple[list[int], int]:
    """Write one pinhole camera, frames, matches and their two-view geometries.

    Returns each frame's image id, and how many pairs show parallax.
    """
    K, (height, width) = given["K"], given["size"]
    params = [K[0, 0], K[1, 1], K[0, 2], K[1, 2]]
    camera = pycolmap.Camera(model="PINHOLE", width=int(width), height=int(height), params=params)
    camera.has_prior_focal_length = True
    camera.camera_id = database.write_camera(camera)
    rig = pycolmap.Rig()
    rig.add_ref_sensor(camera.sensor_id)
    rig_id = database.write_rig(rig)
    points = [given[f"points_{i}"] for i in range(sum(k.startswith("points_") for k in given))]
    ids = []
    for i, keypoints in enumerate(points):
        image = pycolmap.Image(name=f"{i:04d}", camera_id=camera.camera_id)
        image.image_id = database.write_image(image)
        frame = pycolmap.Frame()
        frame.rig_id = rig_id
        frame.add_data_id(image.data_id)
        database.write_frame(frame)
        database.write_keypoints(image.image_id, keypoints.astype(np.float32))
        ids.append(image.image_id)
    options = pycolmap.TwoViewGeometryOptions(detect_watermark=False)  # what does not move is no watermark here
    options.ransac.max_error, options.ransac.random_seed = float(given["tolerance_px"]), _SEED
    with_parallax = 0
    for key in sorted(k for k in given if k.startswith("pair_")):
        i, j = map(int, key.split("_")[1:])
        found = pycolmap.estimate_calibrated_two_view_geometry(
            camera, points[i].astype(float), camera, points[j].astype(float), given[key], options
        )
        database.write_matches(ids[i], ids[j], given[key])
        database.write_two_view_geometry(ids[i], ids[j], found)
        with_parallax += found.config == pycolmap.TwoViewGeometryConfiguration.CALIBRATED
    return ids, with_parallax


def options_of(tolerance_px: float, start: tuple[float, float]) -> pycolmap.IncrementalPipelineOptions:
    """Settings for small frames close together: known intrinsics are held, one thread, fixed seed."""
    options = pycolmap.IncrementalPipelineOptions()
    options.multiple_models, options.min_model_size, options.extract_colors = False, 3, False
    options.ba_refine_focal_length = options.ba_refine_principal_point = options.ba_refine_extra_params = False
    mapper, points = options.mapper, options.triangulation
    options.num_threads = mapper.num_threads = 1
    options.random_seed = mapper.random_seed = points.random_seed = _SEED
    mapper.abs_pose_refine_focal_length = mapper.abs_pose_refine_extra_params = False
    mapper.init_min_tri_angle, mapper.init_max_forward_motion = start
    mapper.init_min_num_inliers, mapper.abs_pose_min_num_inliers = _LEAST_INLIERS, _LEAST_REGISTERING
    mapper.init_max_error = mapper.filter_max_reproj_error = tolerance_px
    mapper.abs_pose_max_error = 2 * tolerance_px
    points.merge_max_reproj_error = points.complete_max_reproj_error = tolerance_px
    mapper.filter_min_tri_angle = points.min_angle = mapper.ba_local_min_tri_angle = _LEAST_ANGLE_DEG
    return options


def reconstruct(folder: Path, given: dict[str, Array]) -> dict[str, Array]:
    """What is written to found.npz."""
    path = folder / "database.db"
    with pycolmap.Database.open(path) as database:
        ids, with_parallax = fill(database, given)
    best = None
    for start in _STARTS:
        options = options_of(float(given["tolerance_px"]), start)
        for model in pycolmap.incremental_mapping(path, folder, folder, options).values():
            rank = (model.num_reg_images() * model.compute_mean_track_length(), model)
            best = rank if best is None or rank[0] > best[0] else best
    c2w = np.full((len(ids), 4, 4), np.nan)
    out: dict[str, Any] = {"c2w": c2w, "points": 0, "views": 0.0, "error_px": 0.0, "with_parallax": with_parallax}
    if best is not None:
        model = best[1]
        for i, image_id in enumerate(ids):
            if image_id in model.images and model.images[image_id].has_pose:
                w2c = np.vstack([model.images[image_id].cam_from_world().matrix(), [0.0, 0.0, 0.0, 1.0]])
                c2w[i] = np.linalg.inv(w2c)
        out["points"] = model.num_points3D()
        out["views"], out["error_px"] = model.compute_mean_track_length(), model.compute_mean_reprojection_error()
    return {key: np.asarray(value) for key, value in out.items()}


def main() -> None:
    """Read, reconstruct, write."""
    folder = Path(sys.argv[1])
    pycolmap.logging.minloglevel = 3
    pycolmap.set_random_seed(_SEED)
    with np.load(folder / "given.npz") as file:
        given = {key: file[key] for key in file.files}
    found = reconstruct(folder, given)
    partial = folder / "partial.npz"
    np.savez(partial, **found)  # type: ignore[arg-type]
    os.replace(partial, folder / "found.npz")


if __name__ == "__main__":
    main()
