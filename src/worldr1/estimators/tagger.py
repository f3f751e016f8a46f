"""What a frame shows: which of the closed domain's objects and grounds. Used for prompt agreement in training."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

PACKAGED = Path(__file__).parent.parent / "weights" / "tagger.safetensors"


class Tagger(nn.Module):
    """A small convolutional net over single frames: multi-label logits for ``num_tags`` tags."""

    def __init__(self, num_tags: int, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        sizes = [3, width, 2 * width, 3 * width]
        for a, b in pairwise(sizes):
            layers += [nn.Conv2d(a, b, 3, stride=2, padding=1), nn.GroupNorm(8, b), nn.GELU()]
            layers += [nn.Conv2d(b, b, 3, padding=1), nn.GroupNorm(8, b), nn.GELU()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(sizes[-1], num_tags)

    def forward(self, frames: Tensor) -> Tensor:
        """Logits ``[n, tags]`` of frames ``[n, 3, h, w]`` in [0, 1]."""
        logits: Tensor = self.head(self.features(frames - 0.5).amax((-1, -2)))
        return logits


def load_tagger(num_tags: int, path: Path = PACKAGED) -> Tagger:
    """The packaged tagger; raises ``FileNotFoundError`` when its weights are missing."""
    tagger = Tagger(num_tags)
    tagger.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    return tagger.eval()


@torch.inference_mode()
def tag(tagger: Tagger, video: Tensor, batch: int = 128) -> Tensor:
    """Probabilities ``[clips, tags]``: for each tag the mean over its best half of the frames.

    ``video`` ``[clips, frames, 3, h, w]``. Objects may be hidden for some frames, hence the best half.
    """
    with torch.autocast(video.device.type, dtype=torch.bfloat16):
        logits = torch.cat([tagger(frames).float() for frames in video.flatten(0, 1).split(batch)])
    p = logits.sigmoid().unflatten(0, video.shape[:2])
    best: Tensor = p.topk(max(1, video.shape[1] // 2), dim=1).values
    return best.mean(1)
