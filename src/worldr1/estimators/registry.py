"""Estimators by name; whatever is no name of ours is a folder or hub id that `transformers` loads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from worldr1.estimators.hub import available

if TYPE_CHECKING:
    from worldr1.estimators.judge import Judge
    from worldr1.estimators.matching import Matcher
    from worldr1.estimators.structure import CameraEstimator


def _tiny_depth() -> Any:
    from worldr1.estimators.depth import TransformersDepth

    return TransformersDepth()


def _world_depth() -> Any:
    from worldr1.estimators.depth import WORLD, WORLD_SIDE, TransformersDepth

    return TransformersDepth(WORLD, WORLD_SIDE)


def _dis(shifted: bool = False) -> Any:
    from worldr1.estimators.flow import DISFlow

    return DISFlow(shifted=shifted)


def _world_flow() -> Any:
    from worldr1.estimators.flow_network import WorldFlow

    return WorldFlow()


def _raft(model: str) -> Any:
    from worldr1.estimators.raft import RAFTFlow

    return RAFTFlow(model)


def _multiview(name: str) -> Any:
    from worldr1.estimators import multiview

    return getattr(multiview, name)()


def _learned_camera(name: str) -> Any:
    from worldr1.estimators import learned_camera

    return getattr(learned_camera, name)()


def _sift() -> Any:
    from worldr1.estimators.matching import SIFTMatcher

    return SIFTMatcher()


def _xfeat() -> Any:
    from worldr1.estimators.xfeat import XFeatMatcher

    return XFeatMatcher()


def _pycolmap() -> Any:
    from worldr1.estimators.structure import PycolmapCamera

    return PycolmapCamera()


# part of every key of the cache: raise it when a packaged network or a named setting answers otherwise than before
_REVISION = 6

# names of published checkpoints are spelled as on the hub; a name maps to a function that loads it
DEPTH: dict[str, Callable[[], Any]] = {
    "tiny": _tiny_depth,
    "world": _world_depth,
    "depth-anything-3": lambda: _multiview("DepthAnything3Depth"),
    "vggt": lambda: _multiview("VGGTDepth"),
    "moge": lambda: _multiview("MoGeDepth"),
}
FLOW: dict[str, Callable[[], Any]] = {
    "dis": _dis,
    "dis_shifted": lambda: _dis(shifted=True),
    "world": _world_flow,
    "raft_small": lambda: _raft("raft_small"),
    "raft_large": lambda: _raft("raft_large"),
}
CAMERA: dict[str, Callable[[], Any]] = {
    "pycolmap": _pycolmap,
    "depth-anything-3": lambda: _learned_camera("DepthAnything3Camera"),
    "vggt": lambda: _learned_camera("VGGTCamera"),
}
MATCHER: dict[str, Callable[[], Any]] = {"sift": _sift, "xfeat": _xfeat}


def unknown(kind: str, name: str, names: Iterable[str], hub: bool = True) -> ValueError:
    """The error of a name that is none of ``names``, nor (with ``hub``) a folder or hub id."""
    close = get_close_matches(name, names := list(names), n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(names)}"
    return ValueError(f"unknown {kind} {name!r}; {hint}{', a folder or a hub id (owner/name)' if hub else ''}")


def _is_model(name: str) -> bool:
    return "/" in name or Path(name).is_dir()


def make_depth(name: str, cache: Path | None = None) -> Callable[[Tensor], Tensor]:
    """A depth estimator by name, folder or hub id, its answers kept in ``cache``.

    Raises ``ValueError`` for an unknown name, one that the hub does not give or damaged weights, ``ImportError`` naming
    the missing package, ``OSError`` for a model that cannot be loaded.
    """
    if name in DEPTH:
        estimator = DEPTH[name]()
    elif _is_model(name):
        from worldr1.estimators.depth import TransformersDepth

        with available(name):
            estimator = TransformersDepth(name)
    else:
        raise unknown("depth estimator", name, DEPTH)
    kept: Callable[[Tensor], Tensor] = _kept(estimator, f"depth:{name}", cache)
    return kept


def make_flow(name: str, cache: Path | None = None) -> Callable[[Tensor, Tensor], Tensor]:
    """A flow estimator by name; raises as `make_depth` does."""
    if name not in FLOW:
        raise unknown("flow estimator", name, FLOW, hub=False)
    kept: Callable[[Tensor, Tensor], Tensor] = _kept(FLOW[name](), f"flow:{name}", cache)
    return kept


def make_camera(name: str) -> CameraEstimator:
    """A camera estimator by name; raises as `make_depth` does."""
    if name not in CAMERA:
        raise unknown("camera estimator", name, CAMERA, hub=False)
    estimator: CameraEstimator = CAMERA[name]()
    return estimator


def make_features(name: str, cache: Path | None = None) -> Callable[[Tensor], Tensor]:
    """Deep features from a folder or hub id, for example ``facebook/dinov2-small``; raises as `make_depth` does."""
    from worldr1.estimators.features import TransformersFeatures

    if not _is_model(name):
        raise unknown("feature extractor", name, ["facebook/dinov2-small"])
    with available(name):
        features = TransformersFeatures(name)
    kept: Callable[[Tensor], Tensor] = _kept(features, f"features:{name}", cache)
    return kept


def make_perceptual(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    """A distance ``[n]`` of pictures ``[n, 3, h, w]`` twice: ``lpips``, or that of `make_features`; raises as it
    does."""
    from worldr1.estimators.perceptual import FeatureDistance, LPIPSDistance

    return LPIPSDistance() if name == "lpips" else FeatureDistance(make_features(name))


def make_matcher(name: str) -> Matcher:
    """A matcher by name, or LightGlue from a folder or hub id (``ETH-CVG/lightglue_superpoint``); raises as
    `make_depth` does."""
    if name in MATCHER:
        matcher: Matcher = MATCHER[name]()
        return matcher
    if not _is_model(name):
        raise unknown("matcher", name, MATCHER)
    from worldr1.estimators.lightglue import LightGlueMatcher

    with available(name):
        return LightGlueMatcher(name)


def make_judge(name: str, device: str = "cpu") -> Judge:
    """A judge: ``URL#MODEL`` behind an OpenAI-compatible endpoint, or a folder or hub id that runs in this process.

    The URL ends before ``/chat/completions``: ``http://localhost:8000/v1#Qwen/Qwen2.5-VL-7B-Instruct``. Its key is
    that in ``$OPENAI_API_KEY``. Raises ``ValueError`` for what cannot be used.
    """
    if name.startswith(("http://", "https://")):
        from worldr1.endpoint import Endpoint
        from worldr1.estimators.judge_endpoint import EndpointJudge

        url, _, model = name.partition("#")
        return EndpointJudge(Endpoint(url, model))
    from worldr1.estimators.judge import TransformersJudge

    with available(name):
        return TransformersJudge(name, device=device)


def make_segments(name: str) -> Callable[..., Tensor]:
    """Ids of objects from a SAM 2 model's folder or hub id; raises as `make_depth` does."""
    if not _is_model(name):
        raise unknown("segmenter", name, ["facebook/sam2.1-hiera-tiny"])
    from worldr1.estimators.segments_sam2 import Sam2Segments

    with available(name):
        return Sam2Segments(name)


def on_gpu(estimator: Any) -> Any:
    """The estimator, its network on the GPU where there is one."""
    model = getattr(estimator, "model", None)
    if torch.cuda.is_available() and isinstance(model, torch.nn.Module):
        model.to("cuda")
    return estimator


def _kept(estimator: Any, model: str, cache: Path | None) -> Any:
    if cache is None:
        return estimator
    from worldr1.estimators.cache import Cached, state_of

    return Cached(estimator, f"{model}:{_REVISION}:{state_of(model.partition(':')[2])}", cache)
