"""The reward stacks for published models: which network measures what, where it comes from, under which licence.

Licences are those on the models' hub pages, of the weights where they differ from the code's.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from difflib import get_close_matches

OWN = "as you chose it"  # licence of what the command line names


@dataclass(frozen=True)
class Part:
    """One network of a stack, or the library in its place."""

    model: str  # hub id, folder, or a name of `estimators.registry`; of a judge also URL#MODEL
    licence: str
    commercial: bool  # whether the licence allows commercial use
    source: str = ""  # where a name's weights come from


@dataclass(frozen=True)
class RewardStack:
    """What the reward of a published model measures with."""

    name: str
    depth: Part
    flow: Part
    features: Part | None = None  # perceptual distance in the held-out view; also lpips
    judge: Part | None = None  # whether the prompt is followed; slow
    camera: Part | None = None  # a second opinion on the camera: structure from motion, or a network; slow
    segments: Part | None = None  # objects, for the volume term and whole objects that come back; slow
    short_side: int = 256  # pixels that clips are shown at
    general: bool = True  # the terms for any footage; else those that the tiny model trains with

    def parts(self) -> dict[str, Part]:
        """What is there, by what it measures."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: part for name, part in found.items() if isinstance(part, Part)}

    @property
    def reconstructs(self) -> bool:
        """Whether structure from motion tells how well one rigid world explains a clip."""
        return self.camera == PYCOLMAP

    @property
    def commercial(self) -> bool:
        return all(p.commercial for p in self.parts().values())


_DIS = Part("dis", "apache-2.0", True, "OpenCV, no weights")
_RAFT = Part("raft_large", "bsd-3-clause, tuned on KITTI (cc-by-nc-sa-3.0)", False, "torchvision")
# proposals for --judge: both follow instructions and are free to use
JUDGES = (
    Part("Qwen/Qwen2.5-VL-7B-Instruct", "apache-2.0", True),
    Part("HuggingFaceTB/SmolVLM2-2.2B-Instruct", "apache-2.0", True),
)

# proposal for --segments
SAM2 = Part("facebook/sam2.1-hiera-tiny", "apache-2.0", True)

# its wheel also holds parts of CHOLMOD that are under the GPL: free to use, not to build into a closed program
PYCOLMAP = Part("pycolmap", "bsd-3-clause", True, "structure from motion on SIFT, no weights; worldr1[colmap]")

# what may say where the camera was, a second time
CAMERAS = {
    part.model: part
    for part in (
        PYCOLMAP,
        Part("vggt", "cc-by-nc-4.0", False, "facebook/VGGT-1B"),
        Part("depth-anything-3", "cc-by-nc-4.0", False, "depth-anything/DA3-LARGE"),
    )
}

STACKS: dict[str, RewardStack] = {
    stack.name: stack
    for stack in (
        RewardStack(
            "default",
            depth=Part("depth-anything/Depth-Anything-V2-Small-hf", "apache-2.0", True),
            flow=_DIS,
            features=Part("facebook/dinov2-small", "apache-2.0", True),
        ),
        RewardStack(
            "research",
            depth=Part("depth-anything/Depth-Anything-V2-Large-hf", "cc-by-nc-4.0", False),
            flow=_RAFT,
            features=Part("facebook/dinov2-large", "apache-2.0", True),
        ),
        RewardStack(
            "research-vggt",
            depth=Part("vggt", "cc-by-nc-4.0", False, "facebook/VGGT-1B"),
            flow=_RAFT,
            features=Part("facebook/dinov2-large", "apache-2.0", True),
        ),
        RewardStack(
            "packaged",
            depth=Part("tiny", "apache-2.0", True, "packaged; knows the tiny worlds only"),
            flow=_DIS,
            short_side=128,
            general=False,
        ),
    )
}


def get_stack(
    name: str,
    depth: str | None = None,
    judge: str | None = None,
    camera: str | None = None,
    segments: str | None = None,
) -> RewardStack:
    """A stack by name, with another depth network, a judge (hub id, folder, or URL#MODEL of an endpoint), a second
    opinion on the camera (a name of `CAMERAS`) or a SAM 2 model that finds objects (hub id or folder).

    Raises ``ValueError`` for an unknown name, suggesting the nearest, and for a judge, a camera or objects beside the
    packaged terms.
    """
    if name not in STACKS:
        close = get_close_matches(name, STACKS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(STACKS)}"
        raise ValueError(f"unknown reward stack {name!r}: {hint}")
    stack = STACKS[name]
    if depth is not None:
        stack = replace(stack, depth=Part(depth, OWN, False))
    if judge is not None:
        if not stack.general:
            raise ValueError(f"the {name} stack has no judge; use --judge with --reward-stack default or research")
        known = {p.model: p for p in JUDGES}
        stack = replace(stack, judge=known.get(judge, Part(judge, OWN, False)))
    if camera is not None:
        if not stack.general:
            raise ValueError(f"the {name} stack has no camera; use --camera with --reward-stack default or research")
        if camera not in CAMERAS:
            raise ValueError(f"unknown camera estimator {camera!r}; use one of {', '.join(CAMERAS)}")
        if camera == stack.depth.model:
            raise ValueError(f"--camera {camera} would be the depth network's own opinion again; use another camera")
        stack = replace(stack, camera=CAMERAS[camera])
    if segments is not None:
        if not stack.general:
            raise ValueError(
                f"the {name} stack has no segments; use --segments with --reward-stack default or research"
            )
        stack = replace(stack, segments=SAM2 if segments == SAM2.model else Part(segments, OWN, False))
    return stack


def describe_stack(stack: RewardStack) -> list[str]:
    """One line a part: what it measures, where it is from, its licence."""
    lines = []
    for name, part in stack.parts().items():
        source = f" ({part.source})" if part.source else ""
        research = "" if part.commercial or part.licence == OWN else ", research only"
        lines.append(f"{name}: {part.model}{source}, licence {part.licence}{research}")
    return lines
