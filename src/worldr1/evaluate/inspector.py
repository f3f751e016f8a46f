"""The inspector: says whether a clip breaks the world, and what it shows. Never seen by training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from worldr1.types import Prompt
from worldr1.worlds.tiny.captions import TAGS, tags_of
from worldr1.worlds.tiny.motion import FIXED, MOVES
from worldr1.worlds.tiny.scene import GROUNDS

PACKAGED = Path(__file__).parent.parent / "weights" / "inspector.safetensors"
CAMERAS = (*MOVES, FIXED)
NUM_OBJECT_TAGS = len(TAGS) - len(GROUNDS)


@dataclass(frozen=True)
class Findings:
    """What the inspector sees in a batch of clips."""

    violation: Tensor  # [b] probability that the clip breaks the world
    tags: Tensor  # [b, tags] probability of each object and ground
    camera: Tensor  # [b] index into CAMERAS

    def agreement(self, prompts: Sequence[Prompt]) -> Tensor:
        """Share of each prompt's claims (objects, ground, camera move) that the clip shows: ``[b]``.

        Asked as a choice: the prompt's n objects must be the n likeliest, its ground and its move the likeliest.
        """
        out = []
        for p, camera, prompt in zip(self.tags, self.camera, prompts, strict=True):
            objects = [t for t in tags_of(prompt.facts) if t < NUM_OBJECT_TAGS]
            likeliest = p[:NUM_OBJECT_TAGS].topk(len(objects)).indices.tolist()
            right = len(set(objects) & set(likeliest))
            right += TAGS[NUM_OBJECT_TAGS + int(p[NUM_OBJECT_TAGS:].argmax())] == prompt.facts["ground"]
            right += CAMERAS[int(camera)] == prompt.facts["camera"]
            out.append(right / (len(objects) + 2))
        return torch.tensor(out)


class Inspector(nn.Module):
    """A small space-time convolutional net with a head per question."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        sizes = [3, width, 2 * width, 4 * width, 4 * width]
        strides = [(1, 2, 2), (1, 2, 2), (1, 2, 2), (1, 1, 1)]
        layers: list[nn.Module] = []
        for a, b, stride in zip(sizes, sizes[1:], strides, strict=False):
            layers += [nn.Conv3d(a, b, 3, stride=stride, padding=1), nn.GroupNorm(8, b), nn.SiLU()]
        self.features = nn.Sequential(*layers)
        self.time = nn.Conv1d(8 * width, 4 * width, 3, padding=1)
        self.violation = nn.Linear(8 * width, 1)
        self.tags = nn.Linear(8 * width, len(TAGS))
        self.camera = nn.Linear(8 * width, len(CAMERAS))

    def forward(self, video: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits ``[b]``, ``[b, tags]``, ``[b, cameras]`` of videos ``[b, frames, 3, h, w]`` in [0, 1]."""
        x = self.features(video.transpose(1, 2) - 0.5)
        steps = torch.cat([x.mean((-1, -2)), x.amax((-1, -2))], dim=1)  # [b, 8 width, frames]
        y = torch.nn.functional.silu(self.time(steps))
        pooled = torch.cat([y.mean(-1), y.amax(-1)], dim=1)
        return self.violation(pooled)[:, 0], self.tags(pooled), self.camera(pooled)

    @torch.inference_mode()
    def inspect(self, video: Tensor, batch: int = 128) -> Findings:
        """`Findings` of videos ``[b, frames, 3, h, w]`` in [0, 1]."""
        parts = []
        for part in video.split(batch):
            with torch.autocast(video.device.type, dtype=torch.bfloat16):
                parts.append([logits.float() for logits in self(part)])
        violation, tags, camera = (torch.cat(x) for x in zip(*parts, strict=True))
        return Findings(violation.sigmoid(), tags.sigmoid(), camera.argmax(1))


def load_inspector(path: Path = PACKAGED) -> Inspector:
    """The packaged inspector; raises ``FileNotFoundError`` when its weights are missing."""
    net = Inspector()
    net.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    return net.eval()
