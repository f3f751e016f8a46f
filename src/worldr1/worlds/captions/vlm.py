"""A `Rewriter` in this process: any vision-language model that transformers loads as image-text-to-text."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from worldr1.vision_language import load_vision_language
from worldr1.worlds.captions.rewriter import Frames, Messages


class TransformersRewriter:
    """Greedy answers of a model from a folder or the hub; frames go in as pictures before the first question."""

    def __init__(
        self,
        model: str | Path,
        *,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        max_frames: int = 4,
        max_new_tokens: int = 600,
    ) -> None:
        """Raises ``ValueError`` where there is no such model or it cannot chat."""
        self._processor, self._model = load_vision_language(model, device, dtype)
        self.name, self.max_frames = str(model), max_frames
        self._max_new_tokens = max_new_tokens

    @torch.inference_mode()
    def ask(self, messages: Messages, frames: Frames | None = None) -> str:
        """See `Rewriter.ask`."""
        pictures = [] if frames is None else [Image.fromarray(f) for f in frames]
        first = next(i for i, m in enumerate(messages) if m["role"] == "user")
        chat = [
            {"role": m["role"], "content": [{"type": "image"}] * (len(pictures) if i == first else 0)
             + [{"type": "text", "text": m["content"]}]}
            for i, m in enumerate(messages)
        ]  # fmt: skip
        prompt = self._processor.apply_chat_template(chat, add_generation_prompt=True)
        inputs = self._processor(text=prompt, images=pictures or None, return_tensors="pt").to(self._model.device)
        output = self._model.generate(**inputs, max_new_tokens=self._max_new_tokens, do_sample=False)
        answer: str = self._processor.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        return answer
