"""A judge behind an OpenAI-compatible endpoint, read off as an expectation over the digits it might answer."""

from __future__ import annotations

import math
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from worldr1.endpoint import ChatClient, Endpoint, EndpointError, picture_part
from worldr1.estimators.judge import DIGITS, check_questions, to_bytes

_ALTERNATIVES = 20  # as many as the protocol allows; there are ten digits
_LEAST_MASS = 0.5  # of the probability must lie on digits, or the model is not answering with one
_NO_LOGPROBS = (
    "{url} gives no top_logprobs of its answer, which the judge reads; use a server and a model that do (vLLM, "
    "llama.cpp and OpenAI's chat models do), or a folder or hub id that runs in this process"
)


class EndpointJudge:
    """Answers questions about pictures with the expected digit, as a share of 9, like `judge.TransformersJudge`.

    Each picture and its question is one request for one token; several are under way at once. The expectation is over
    the digits among the likeliest tokens, so that it is coarser where the server tells fewer of them. What went wrong
    is never a number: it is raised.
    """

    def __init__(self, endpoint: Endpoint, *, at_once: int = 8) -> None:
        """Raises ``ValueError`` for an unusable address; the model is not asked yet."""
        if not endpoint.model:
            raise ValueError(f"no model named for the judge at {endpoint.url}; write URL#MODEL")
        self._client, self._at_once = ChatClient(endpoint), at_once
        self.name = endpoint.model

    def __call__(self, frames: Tensor, questions: list[str]) -> Tensor:
        """Expected digit / 9, ``[n]``, of ``frames`` ``[n, 3, h, w]`` in [0, 1], each with its question.

        Raises `EndpointError` where the model gives no usable answer about any of them, ``ValueError`` when there are
        not as many questions as frames, or the server refuses the request or tells no probabilities.
        """
        check_questions(frames, questions)
        with ThreadPoolExecutor(self._at_once) as pool:
            values = list(pool.map(self._value, to_bytes(frames), questions))  # in the order asked
        return torch.tensor(values, dtype=torch.float32, device=frames.device)

    def _value(self, picture: Any, question: str) -> float:
        content = [picture_part(picture), {"type": "text", "text": question}]
        choice = self._client.ask(
            {
                "messages": [{"role": "user", "content": content}],
                "max_tokens": 1,
                "temperature": 0,
                "logprobs": True,
                "top_logprobs": _ALTERNATIVES,
            }
        )
        try:
            told = choice["logprobs"]["content"][0]["top_logprobs"]
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError(_NO_LOGPROBS.format(url=self._client.endpoint.url)) from error
        if not told:
            raise ValueError(_NO_LOGPROBS.format(url=self._client.endpoint.url))
        return expected_digit(told) / (len(DIGITS) - 1)


def expected_digit(alternatives: list[dict[str, Any]]) -> float:
    """Mean digit, in [0, 9], of a token's ``alternatives`` (``token``, ``logprob``), the other tokens left out.

    A digit counts with and without the space before it. Raises `EndpointError` where less than half of the probability
    lies on digits, or what was told are no probabilities.
    """
    shares: defaultdict[str, float] = defaultdict(float)
    for alternative in alternatives:
        try:
            token, share = str(alternative["token"]), math.exp(min(0.0, float(alternative["logprob"])))
        except (KeyError, TypeError, ValueError) as error:
            raise EndpointError(f"the judge's probabilities cannot be read ({type(error).__name__})") from error
        if math.isnan(float(alternative["logprob"])):
            raise EndpointError("a probability of the judge is not a number")
        shares[token.strip(" \n▁")] += share
    digits = {digit: shares[digit] for digit in DIGITS if digit in shares}
    mass = sum(digits.values())
    if mass < _LEAST_MASS:
        likeliest = max(shares, key=lambda token: shares[token])
        raise EndpointError(
            f"the judge answers {likeliest!r} rather than a digit ({mass:.0%} of the probability lies on digits); "
            "use an instruction-tuned model that answers at once"
        )
    return sum(int(digit) * share for digit, share in digits.items()) / mass
