"""A real stereo pair with measured disparity: the terms rank it above the same pair with a part of it bent."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from worldr1.evaluate.bench.image_corruptions import local_rubber
from worldr1.evaluate.bench.oracle import Oracle
from worldr1.evaluate.bench.shown import Shown
from worldr1.evaluate.real_footage import find_file, motorcycle
from worldr1.rewards.composite import WorldReward
from worldr1.rewards.depth import depth_term
from worldr1.rewards.flow import flow_term
from worldr1.types import CameraPath, Clip, GroundTruth, Prompt, Rollout

SHARE = 4  # of the pixels per side that are kept
FOCAL_PX, PRINCIPAL_PX, OFFSET_PX, BASELINE_M = 994.978, (311.193, 254.877), 31.086, 0.193001  # Middlebury 2014


def missing(*_: Tensor) -> Tensor:
    raise AssertionError("everything that the terms look at has measured truth")


@pytest.fixture(scope="module")
def pair() -> Shown:
    """Left and right view, depth from the left view's disparity; the right one's is carried over to it."""
    photograph, file = motorcycle(), find_file("scikit-image", "motorcycle_right.png")
    if photograph is None or file is None:
        pytest.skip("needs the stereo pair of scikit-image")
    bgr = cv2.imread(str(file))
    assert bgr is not None
    height, width = (s // SHARE for s in bgr.shape[:2])
    images = [cv2.resize(i, (width, height), interpolation=cv2.INTER_AREA) for i in (photograph.image, bgr[..., ::-1])]
    left = cv2.resize(photograph.depth_m, (width, height), interpolation=cv2.INTER_NEAREST)
    shift = (FOCAL_PX * BASELINE_M / left - OFFSET_PX) / SHARE  # pixels to the left, in the right view
    right = np.full_like(left, np.inf)
    rows, columns = np.mgrid[:height, :width]
    landing = np.round(columns - shift).astype(int)
    inside = (landing >= 0) & (landing < width)
    np.minimum.at(right, (rows[inside], landing[inside]), left[inside])  # the nearest surface wins
    for x in range(width - 2, -1, -1):  # what only the right camera saw belongs to the farther surface beside it
        hole = np.isinf(right[:, x])
        right[hole, x] = right[hole, x + 1]
    right[np.isinf(right)] = left.max()
    back = (FOCAL_PX * BASELINE_M / right - OFFSET_PX) / SHARE
    flow = [np.stack([s, np.zeros_like(s)], axis=-1) for s in (-shift, back)]
    video = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    K = torch.tensor([[FOCAL_PX, 0, PRINCIPAL_PX[0]], [0, FOCAL_PX, PRINCIPAL_PX[1]], [0, 0, SHARE]]) / SHARE
    poses = torch.eye(4).repeat(2, 1, 1)
    poses[1, 0, 3] = BASELINE_M
    depth = torch.from_numpy(np.stack([left, right])).float()
    truth = GroundTruth(
        depth,
        torch.from_numpy(flow[0])[None].float(),
        torch.zeros_like(depth, dtype=torch.int32),
        torch.zeros_like(depth, dtype=torch.int32),
        CameraPath(poses, K.expand(2, 3, 3)),
    )
    return Shown(Clip(video, truth=truth), torch.from_numpy(flow[1])[None].float())


def parts(shown: Shown) -> dict[str, float | None]:
    oracle = Oracle(missing, missing)
    oracle.learn([shown])
    reward = WorldReward({"depth": depth_term, "flow": flow_term}, oracle.depth, oracle.flow)
    prompt = Prompt("", shown.truth.camera)
    return reward([Rollout(prompt, shown.clip, ())])[0].parts


def test_the_true_pair_is_above_a_locally_warped_one(pair: Shown) -> None:
    true = parts(pair)  # measured: depth .981, flow .752
    assert true["depth"] is not None
    assert true["flow"] is not None
    for seed in range(3):  # measured: depth .970 to .978, flow .663 to .708
        bent = parts(local_rubber(pair, np.random.default_rng(seed), 1.6))
        assert bent["flow"] is not None
        assert bent["depth"] is not None
        assert bent["depth"] < true["depth"]
        assert bent["flow"] < true["flow"]
