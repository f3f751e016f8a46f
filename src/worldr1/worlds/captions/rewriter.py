"""Ask a language model behind an `Endpoint` for better prose.

What is asked and what becomes of the answer is in `caption`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from worldr1.endpoint import ChatClient, Endpoint, EndpointError, picture_part

Frames = npt.NDArray[np.uint8]  # [frames, height, width, 3], RGB
Messages = list[dict[str, str]]  # role and content; frames go with the first message of the user


class RewriterError(Exception):
    """No usable answer this time; the caller falls back to the deterministic caption."""


class Rewriter(Protocol):
    """Answers a conversation. ``max_frames``: how many pictures it wants to see, 0 for none."""

    name: str
    max_frames: int

    def ask(self, messages: Messages, frames: Frames | None = None) -> str:
        """The answer's text. Raises `RewriterError` without one, ``ValueError`` where it is set up wrongly."""
        ...


@dataclass(frozen=True)
class EndpointConfig(Endpoint):
    """Where the model is, and how it writes."""

    max_frames: int = 0  # 4 to 8 for a model that sees
    max_tokens: int = 1200
    temperature: float = 0.7


class EndpointRewriter:
    """`Rewriter` over HTTP. Use as a context manager, or call `close`."""

    def __init__(self, config: EndpointConfig) -> None:
        """Raises as `ChatClient` does."""
        self.config, self.name, self.max_frames = config, config.model, config.max_frames
        self._client = ChatClient(config)

    def __enter__(self) -> EndpointRewriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, messages: Messages, frames: Frames | None = None) -> str:
        """See `Rewriter.ask` and, for what is tried again, `ChatClient.ask`."""
        body = {
            "messages": _with_frames(messages, frames),
            "temperature": self.config.temperature,
            "max_tokens": self.config.max_tokens,
            "response_format": {"type": "json_object"},
        }
        try:
            choice = self._client.ask(body)
        except EndpointError as error:
            raise RewriterError(str(error)) from error
        message = choice.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, str):
            raise RewriterError("the answer has no text")
        return content


def pick_frames(frames: Frames, most: int) -> Frames:
    """At most ``most`` frames, evenly spaced, first and last included."""
    picked: Frames = frames[np.unique(np.linspace(0, len(frames) - 1, min(most, len(frames))).round().astype(int))]
    return picked


def _with_frames(messages: Messages, frames: Frames | None) -> Sequence[dict[str, Any]]:
    """The conversation with pictures in the user's first message."""
    if frames is None or not len(frames):
        return messages
    first = next(i for i, m in enumerate(messages) if m["role"] == "user")
    parts: list[dict[str, Any]] = [{"type": "text", "text": messages[first]["content"]}]
    parts += [picture_part(f) for f in frames]
    return [*messages[:first], {"role": "user", "content": parts}, *messages[first + 1 :]]
