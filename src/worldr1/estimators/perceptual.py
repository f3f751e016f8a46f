"""How different two pictures look: distances in the features of networks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class FeatureDistance:
    """1 − cosine of two pictures' deep features: a perceptual distance ``[n]`` of ``[n, 3, h, w]`` twice."""

    def __init__(self, features: Callable[[Tensor], Tensor]) -> None:
        self.features = features
        self.model = getattr(features, "model", None)

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        distance: Tensor = 1 - (self.features(a) * self.features(b)).sum(-1)
        return distance.clamp(min=0)


class LPIPSDistance:
    """LPIPS (Zhang et al. 2018) on AlexNet, packages ``lpips`` and ``torchvision``; an extra."""

    def __init__(self) -> None:
        """Raises ``ImportError`` that names the extra."""
        try:
            import lpips
        except ImportError as error:
            raise ImportError("LPIPS needs the packages lpips and torchvision: pip install 'worldr1[lpips]'") from error
        self.model = lpips.LPIPS(net="alex", verbose=False).eval()

    @torch.inference_mode()
    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """Distances ``[n]`` of pictures ``[n, 3, h, w]`` in [0, 1] twice, 0 for the same."""
        device = next(self.model.parameters()).device
        distance: Tensor = self.model(a.to(device), b.to(device), normalize=True)  # its own range is [-1, 1]
        return distance.flatten().to(a.device)
