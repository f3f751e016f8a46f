"""The inspector: says whether a clip breaks the world, and what it shows. Never seen by training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from worldr1.worlds.captions import TAGS
from worldr1.worlds.motion import FIXED, MOVES

PACKAGED = Path(__file__).parent.parent / "weights" / "inspector.safetensors"
CAMERAS = (*MOVES, FIXED)


@dataclass(frozen=True)
class Findings:
    """What the inspector sees in a batch of clips."""

    violation: Tensor  # [b] probability that the clip breaks the world
    tags: Tensor  # [b, tags] probability of each object and ground
    camera: Tensor  # [b] index into CAMERAS

    def agreement(self, tags: list[list[int]], cameras: list[str]) -> Tensor:
        """Share of each prompt's claims (objects, ground, camera move) that are seen: ``[b]``."""
        out = []
        for p, claimed, camera, name in zip(self.tags, tags, self.camera, cameras, strict=True):
            right = int((p[claimed] > 0.5).sum()) + int(CAMERAS[int(camera)] == name)
            out.append(right / (len(claimed) + 1))
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
