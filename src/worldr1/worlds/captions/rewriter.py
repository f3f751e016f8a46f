"""Ask a language model for better prose: any endpoint that speaks OpenAI's Chat Completions (hosted, vLLM, llama.cpp).

Only transport is here; what is asked and what becomes of the answer is in `caption`.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import httpx2
import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]  # [frames, height, width, 3], RGB
Messages = list[dict[str, str]]  # role and content; frames go with the first message of the user
_RETRIED = {408, 409, 425, 429, 500, 502, 503, 504}


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
class EndpointConfig:
    """Where the model is. The key is read from the environment and stored nowhere."""

    url: str  # up to the version: "https://api.openai.com/v1", "http://localhost:8000/v1"
    model: str
    key_variable: str = "OPENAI_API_KEY"  # name of the environment variable; an unset one sends no key
    timeout_s: float = 60.0  # for one attempt
    attempts: int = 3
    backoff_s: float = 1.0  # before the second attempt, doubled each time
    max_wait_s: float = 30.0  # of a server's Retry-After
    max_frames: int = 0  # 4 to 8 for a model that sees
    max_tokens: int = 1200
    temperature: float = 0.7


class EndpointRewriter:
    """`Rewriter` over HTTP. Use as a context manager, or call `close`."""

    def __init__(self, config: EndpointConfig) -> None:
        if not config.url.startswith(("http://", "https://")):
            raise ValueError(
                f"rewriter URL {config.url!r} has no http:// or https://; give one like http://localhost:8000/v1"
            )
        if config.attempts < 1 or config.timeout_s <= 0:
            raise ValueError("a rewriter needs attempts >= 1 and timeout_s > 0")
        self.config, self.name, self.max_frames = config, config.model, config.max_frames
        key = os.environ.get(config.key_variable, "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            self._client = httpx2.Client(timeout=config.timeout_s, headers=headers)
            self._url = httpx2.URL(config.url.rstrip("/") + "/chat/completions")
        except httpx2.InvalidURL as error:
            raise ValueError(f"rewriter URL {config.url!r}: {error}") from error

    def __enter__(self) -> EndpointRewriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, messages: Messages, frames: Frames | None = None) -> str:
        """See `Rewriter.ask`. Timeouts, broken connections, 429 and 5xx are tried again, then `RewriterError`."""
        body = {
            "model": self.config.model,
            "messages": _with_frames(messages, frames),
            "temperature": self.config.temperature,
            "max_tokens": self.config.max_tokens,
            "response_format": {"type": "json_object"},
        }
        reason, wait_s = "", 0.0
        for attempt in range(self.config.attempts):
            time.sleep(wait_s)
            wait_s = self.config.backoff_s * 2**attempt
            try:
                response = self._client.post(self._url, json=body)
            except httpx2.TransportError as error:
                reason = f"{type(error).__name__}: {error}"
                continue
            if response.status_code in _RETRIED:
                reason = f"HTTP {response.status_code}"
                wait_s = min(_retry_after_s(response, wait_s), self.config.max_wait_s)
                continue
            if response.status_code != 200:
                raise ValueError(self._refused(response))
            return _content(response)
        raise RewriterError(f"no answer in {self.config.attempts} attempts ({reason})")

    def _refused(self, response: httpx2.Response) -> str:
        hint = {
            401: f"put a valid key into ${self.config.key_variable}",
            403: f"the key in ${self.config.key_variable} may not use this model",
            404: "check the URL (it ends before /chat/completions) and the model's name",
        }.get(response.status_code, "check the URL, the model and its options")
        return f"the rewriter at {self._url} answered HTTP {response.status_code}: {response.text[:200]!r}; {hint}"


def _retry_after_s(response: httpx2.Response, default: float) -> float:
    """Seconds of a Retry-After header; its date form is rare and counts as absent."""
    value = response.headers.get("retry-after", "")
    return float(value) if value.replace(".", "", 1).isdigit() else default


def _content(response: httpx2.Response) -> str:
    try:
        content: Any = response.json()["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise RewriterError(f"the answer is no chat completion ({type(error).__name__})") from error
    if not isinstance(content, str):
        raise RewriterError("the answer has no text")
    return content


def pick_frames(frames: Frames, most: int) -> Frames:
    """At most ``most`` frames, evenly spaced, first and last included."""
    picked: Frames = frames[np.unique(np.linspace(0, len(frames) - 1, min(most, len(frames))).round().astype(int))]
    return picked


def _with_frames(messages: Messages, frames: Frames | None) -> Sequence[dict[str, Any]]:
    """The conversation with JPEG data URLs in the user's first message."""
    if frames is None or not len(frames):
        return messages
    first = next(i for i, m in enumerate(messages) if m["role"] == "user")
    parts: list[dict[str, Any]] = [{"type": "text", "text": messages[first]["content"]}]
    parts += [{"type": "image_url", "image_url": {"url": _jpeg_url(f)}} for f in frames]
    return [*messages[:first], {"role": "user", "content": parts}, *messages[first + 1 :]]


def _jpeg_url(frame: npt.NDArray[np.uint8]) -> str:
    done, data = cv2.imencode(".jpg", frame[..., ::-1])
    assert done, "OpenCV encodes every uint8 picture"
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
