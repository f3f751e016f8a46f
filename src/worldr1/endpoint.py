"""Models behind HTTP: any endpoint that speaks OpenAI's Chat Completions (hosted, vLLM, llama.cpp).

Only transport is here. Captions are reworded over it (`worlds.captions.rewriter`), clips judged (`estimators.judge`).
"""

from __future__ import annotations

import base64
import os
import time
from dataclasses import dataclass
from typing import Any

import cv2
import httpx2
import numpy as np
import numpy.typing as npt

_RETRIED = {408, 409, 425, 429, 500, 502, 503, 504}


class EndpointError(OSError):
    """No usable answer this time: nobody listens, too slow, too busy, or what came is no chat completion."""


@dataclass(frozen=True)
class Endpoint:
    """Where the model is. The key is read from the environment and stored nowhere."""

    url: str  # up to the version: "https://api.openai.com/v1", "http://localhost:8000/v1"
    model: str
    key_variable: str = "OPENAI_API_KEY"  # name of the environment variable; an unset one sends no key
    timeout_s: float = 60.0  # for one attempt
    attempts: int = 3
    backoff_s: float = 1.0  # before the second attempt, doubled each time
    max_wait_s: float = 30.0  # of a server's Retry-After


class ChatClient:
    """Asks an `Endpoint`, from any number of threads at once. Close it, or leave that to the end of the process."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Raises ``ValueError`` for an unusable address or settings."""
        url = endpoint.url
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"endpoint URL {url!r} has no http:// or https://; give one like http://localhost:8000/v1")
        if endpoint.attempts < 1 or endpoint.timeout_s <= 0:
            raise ValueError("an endpoint needs attempts >= 1 and timeout_s > 0")
        key = os.environ.get(endpoint.key_variable, "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            self._url = httpx2.URL(url.rstrip("/") + "/chat/completions")
            self._client = httpx2.Client(timeout=endpoint.timeout_s, headers=headers)
        except httpx2.InvalidURL as error:
            raise ValueError(f"endpoint URL {url!r}: {error}") from error
        if self._url.userinfo:  # addresses are written into a run's configuration
            raise ValueError(f"the endpoint's URL holds a password; put the key into ${endpoint.key_variable} instead")
        self.endpoint = endpoint

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        """The first choice of the answer to ``body``, which is sent with the model's name.

        Timeouts, broken connections, 429 and 5xx are tried again, then `EndpointError`, as for an answer that is no
        chat completion. Raises ``ValueError`` that says what to do where the server refuses the request itself.
        """
        reason, wait_s = "", 0.0
        for attempt in range(self.endpoint.attempts):
            time.sleep(wait_s)
            wait_s = self.endpoint.backoff_s * 2**attempt
            try:
                response = self._client.post(self._url, json={"model": self.endpoint.model, **body})
            except httpx2.TransportError as error:
                reason = f"{type(error).__name__}: {error}"
                continue
            if response.status_code in _RETRIED:
                reason = f"HTTP {response.status_code}"
                wait_s = min(_retry_after_s(response, wait_s), self.endpoint.max_wait_s)
                continue
            if response.status_code != 200:
                raise ValueError(self._refused(response))
            return _first_choice(response)
        raise EndpointError(f"no answer from {self._url} in {self.endpoint.attempts} attempts ({reason})")

    def _refused(self, response: httpx2.Response) -> str:
        hint = {
            401: f"put a valid key into ${self.endpoint.key_variable}",
            403: f"the key in ${self.endpoint.key_variable} may not use this model",
            404: "check the URL (it ends before /chat/completions) and the model's name",
        }.get(response.status_code, "check the URL, the model and its options")
        return f"{self._url} answered HTTP {response.status_code}: {response.text[:200]!r}; {hint}"


def _retry_after_s(response: httpx2.Response, default: float) -> float:
    """Seconds of a Retry-After header; its date form is rare and counts as absent."""
    value = response.headers.get("retry-after", "")
    return float(value) if value.replace(".", "", 1).isdigit() else default


def _first_choice(response: httpx2.Response) -> dict[str, Any]:
    try:
        choice: Any = response.json()["choices"][0]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise EndpointError(f"the answer is no chat completion ({type(error).__name__})") from error
    if not isinstance(choice, dict):
        raise EndpointError("the answer is no chat completion: its first choice is no object")
    return choice


def picture_part(frame: npt.NDArray[np.uint8]) -> dict[str, Any]:
    """An RGB picture ``[h, w, 3]`` as a part of a message: a JPEG data URL."""
    done, data = cv2.imencode(".jpg", frame[..., ::-1])
    assert done, "OpenCV encodes every uint8 picture"
    url = "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
    return {"type": "image_url", "image_url": {"url": url}}
