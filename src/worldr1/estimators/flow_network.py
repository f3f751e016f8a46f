"""The packaged flow network: corrects DIS where a small picture has too little texture for it, and along edges."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, normalize, pad, unfold

from worldr1.estimators.flow import DISFlow
from worldr1.geometry.camera import inside, pixel_grid, sample

PACKAGED = Path(__file__).parent.parent / "weights" / "world_flow.safetensors"
LARGEST_SIDE = 96  # of a frame's shorter side: beyond it DIS has the texture it needs, and the network was not trained
_REACH = 2  # pixels, of half and of a quarter of the resolution, in which a feature is looked for
_COSTS = (2 * _REACH + 1) ** 2
_STEEP_PX = 4.0  # unit of flow in the network's input
_ROUNDS = 2


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Products of features ``[n, c, h, w]`` with those up to `_REACH` pixels away: ``[n, _COSTS, h, w]``."""
    h, w = first.shape[-2:]
    around = pad(second, (_REACH,) * 4)
    span = range(2 * _REACH + 1)
    return torch.stack([(first * around[:, :, y : y + h, x : x + w]).sum(1) for y in span for x in span], 1)


def _swap(x: Tensor) -> Tensor:
    """The other frame's, or the other direction's, of ``[2 n, ...]`` in which they alternate."""
    swapped: Tensor = x.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)
    return swapped


class FlowRefiner(nn.Module):
    """Flow both ways between two frames, from a first guess: 82 thousand parameters.

    At half the resolution, in two rounds: the second frame's features are brought back along the flow and compared
    around where it leads (cost volumes of two scales, as PWC-Net, Sun et al. 2018); a U-Net of three scales adds a
    correction. The flow of full resolution is a convex combination of nine coarse neighbours with learned weights
    (RAFT, Teed & Deng 2020), which follows edges.
    """

    def __init__(self, width: int = 32, compared: int = 16) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, 1, 1),
            nn.SiLU(),
            nn.Conv2d(16, width, 3, 2, 1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, 1, 1),
        )
        self.compared = nn.Conv2d(width, compared, 1)
        self.costs = nn.Conv2d(2 * _COSTS, 24, 1)
        self.enter = nn.Conv2d(24 + width + 2 + 2 + 3 + 1, width, 3, 1, 1)
        self.down_half = nn.Conv2d(width, width, 3, 2, 1)
        self.down_quarter = nn.Conv2d(width, width, 3, 2, 1)
        self.middle = nn.Conv2d(width, width, 3, 1, 1)
        self.up_quarter = nn.Conv2d(width, width, 3, 1, 1)
        self.up_half = nn.Conv2d(width, width, 3, 1, 1)
        self.change = nn.Conv2d(width, 2, 1)
        self.weights = nn.Conv2d(width, 9 * 4, 1)
        self.act = nn.SiLU()
        for parameter in self.change.parameters():
            nn.init.zeros_(parameter)  # begins as the guess

    def forward(self, pairs: Tensor, guess_px: Tensor) -> list[Tensor]:
        """Flow after each round, the last one best: ``[n, 2, h, w, 2]`` from the first frame to the second, and back.

        ``pairs`` ``[n, 2, 3, h, w]`` in [0, 1], ``guess_px`` as the flow; sides have to be multiples of eight.
        """
        n, _, _, h, w = pairs.shape
        frames = 2 * (pairs - pairs.mean((1, 3, 4), keepdim=True)).flatten(0, 1)
        features = self.features(frames)
        compared = normalize(self.compared(features), dim=1)
        coarse = avg_pool2d(compared, 2)
        small = avg_pool2d(frames, 2)
        there = _swap(torch.cat([compared, small], 1))
        flow = avg_pool2d(guess_px.flatten(0, 1).permute(0, 3, 1, 2), 2) / 2
        out = []
        for _ in range(_ROUNDS):
            flow = flow.detach()  # each round is trained by its own error
            landing = pixel_grid(h // 2, w // 2, flow) + flow.permute(0, 2, 3, 1)
            found = sample(there, landing)
            match, colour = found[:, : compared.shape[1]], found[:, compared.shape[1] :]
            costs = torch.cat(
                [
                    correlation(compared, match),
                    interpolate(correlation(coarse, avg_pool2d(match, 2)), scale_factor=2.0),
                ],
                1,
            )
            round_trip = flow + sample(_swap(flow), landing)
            outside = (~inside(landing, h // 2, w // 2))[:, None].to(flow)
            seen = [
                self.act(self.costs(costs)),
                features,
                flow / _STEEP_PX,
                round_trip.clamp(-_STEEP_PX, _STEEP_PX) / 2,
                small - colour,
                outside,
            ]
            hidden = self._corrected(torch.cat(seen, 1))
            flow = flow + self.change(hidden)
            out.append(self._enlarged(flow, hidden).unflatten(0, (n, 2)))
        return out

    def _corrected(self, x: Tensor) -> Tensor:
        half = self.act(self.enter(x))
        quarter = self.act(self.down_half(half))
        eighth = self.act(self.down_quarter(quarter))
        eighth = eighth + self.act(self.middle(eighth))
        quarter = self.act(self.up_quarter(quarter + _as_large(eighth, quarter)))
        hidden: Tensor = self.act(self.up_half(half + _as_large(quarter, half)))
        return hidden

    def _enlarged(self, flow: Tensor, hidden: Tensor) -> Tensor:
        """Flow ``[n, 2, h/2, w/2]`` in its pixels as ``[n, h, w, 2]`` in those of the frames."""
        n, _, h, w = flow.shape
        share = self.weights(hidden).view(n, 1, 9, 4, h, w).softmax(2)
        around = unfold(pad(2 * flow, (1, 1, 1, 1), "replicate"), 3).view(n, 2, 9, 1, h, w)
        fine = (around * share).sum(2).view(n, 2, 2, 2, h, w)
        flat: Tensor = fine.permute(0, 4, 2, 5, 3, 1).reshape(n, 2 * h, 2 * w, 2)
        return flat


def _as_large(x: Tensor, like: Tensor) -> Tensor:
    return interpolate(x, size=like.shape[-2:], mode="bilinear")


class WorldFlow:
    """Dense flow between frame pairs, in pixels: DIS, and for frames of a shorter side up to 96 pixels, where it has
    little to go by, `FlowRefiner` on top.

    ``model`` is a loaded network or a safetensors file. Raises ``OSError`` when that is not there.
    """

    def __init__(self, model: str | Path | FlowRefiner = PACKAGED, threads: int = 2, batch: int = 64) -> None:
        self.guess, self.batch = DISFlow(threads, shifted=True), batch
        if not isinstance(model, FlowRefiner):
            weights = load_file(str(model))
            model = FlowRefiner()
            model.load_state_dict({k: v.float() for k, v in weights.items()})
        self.model = model.eval()

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Flow ``[n, h, w, 2]`` from ``first`` to ``second``, both ``[n, 3, h, w]`` in [0, 1].

        Raises ``ValueError`` when the shapes differ.
        """
        if first.shape != second.shape:
            raise ValueError(f"frames differ in shape: {tuple(first.shape)} and {tuple(second.shape)}")
        return self.both_ways(torch.stack([first, second], 1))[0, :, 0]

    def both_ways(self, video: Tensor, guess_px: Tensor | None = None) -> Tensor:
        """Flow ``[2, b, f-1, h, w, 2]`` ahead and back between neighbouring frames of videos ``[b, f, 3, h, w]``,
        around ``guess_px`` of that shape as `DISFlow.both_ways` looks."""
        guess = self.guess.both_ways(video, guess_px)
        if min(video.shape[-2:]) > LARGEST_SIDE:
            return guess
        pairs = torch.stack([video[:, :-1], video[:, 1:]], 2).flatten(0, 1)
        refined = self.refine(pairs, guess.flatten(1, 2).transpose(0, 1))
        return refined.transpose(0, 1).view_as(guess)

    @torch.inference_mode()
    def refine(self, pairs: Tensor, guess_px: Tensor) -> Tensor:
        """The last answer of `FlowRefiner`, for frames of any side."""
        h, w = pairs.shape[-2:]
        more = (0, -w % 8, 0, -h % 8)
        device = next(self.model.parameters()).device
        out = []
        for frames, guess in zip(pairs.split(self.batch), guess_px.split(self.batch), strict=True):
            frames = pad(frames.flatten(0, 1), more, "replicate").unflatten(0, (-1, 2))
            guess = pad(guess.flatten(0, 1).permute(0, 3, 1, 2), more, "replicate").permute(0, 2, 3, 1)
            flow = self.model(frames.to(device), guess.unflatten(0, (-1, 2)).to(device))[-1]
            out.append(flow[:, :, :h, :w].to(pairs.device))
        return torch.cat(out)
