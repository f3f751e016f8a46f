"""The held-out depth estimator: a U-Net, another architecture and seed than the rewards' Depth Anything."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

PACKAGED = Path(__file__).parent.parent / "weights" / "held_out_depth.safetensors"


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(8, outputs), nn.SiLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1), nn.GroupNorm(8, outputs), nn.SiLU(),
    )  # fmt: skip


class DepthUNet(nn.Module):
    """Log-depth from a frame; three scales with skip connections."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.down = nn.ModuleList([_block(3, width), _block(width, 2 * width), _block(2 * width, 3 * width)])
        self.up = nn.ModuleList([_block(5 * width, 2 * width), _block(3 * width, width)])
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """Depth ``[n, h, w]`` in metres of frames ``[n, 3, h, w]`` in [0, 1]; sides divisible by four."""
        x, skips = frames - 0.5, []
        for i, block in enumerate(self.down):
            x = block(x if i == 0 else nn.functional.avg_pool2d(x, 2))
            skips.append(x)
        for block, skip in zip(self.up, (skips[1], skips[0]), strict=True):
            x = block(torch.cat([nn.functional.interpolate(x, scale_factor=2, mode="nearest"), skip], dim=1))
        log_depth: Tensor = self.head(x)[:, 0]
        return (log_depth.float() + 1.5).exp()

    @torch.inference_mode()
    def predict(self, frames: Tensor, batch: int = 512) -> Tensor:
        """`forward` in batches, limited to what can be measured: 0.05 to 20 m."""
        out = []
        for part in frames.split(batch):
            with torch.autocast(frames.device.type, dtype=torch.bfloat16):
                out.append(self(part).float())
        return torch.cat(out).clamp(0.05, 20.0)


def load_depth_unet(path: Path = PACKAGED) -> DepthUNet:
    """The packaged network; raises ``FileNotFoundError`` when its weights are missing."""
    net = DepthUNet()
    net.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    return net.eval()
