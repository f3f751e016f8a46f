"""Vision-language models that `transformers` loads as image-text-to-text, for judging clips and rewording captions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError


def load_vision_language(model: str | Path, device: str, dtype: torch.dtype) -> tuple[Any, Any]:
    """The processor and the model of a folder or hub id; ``ValueError`` where there is none, or it cannot chat."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(model)
        network = AutoModelForImageTextToText.from_pretrained(model, dtype=dtype).to(device).eval()
    except (OSError, ValueError, SafetensorError) as error:
        raise ValueError(f"no vision-language model at {str(model)!r}: {error}") from error
    if not getattr(processor, "chat_template", None):
        raise ValueError(f"{str(model)!r} has no chat template; use an instruction-tuned model")
    return processor, network
