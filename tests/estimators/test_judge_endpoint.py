"""A judge behind an endpoint: its numbers, its place in a reward, and servers that dawdle, break, refuse and lie."""

from __future__ import annotations

import base64
import json
import math
import random
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from chat_server import ChatServer, Reply, fails, says_raw, send, slow, truncated
from worldr1.endpoint import Endpoint, EndpointError
from worldr1.estimators.judge import TransformersJudge
from worldr1.estimators.judge_endpoint import EndpointJudge, expected_digit
from worldr1.estimators.registry import make_judge
from worldr1.rewards.published import get_stack
from worldr1.rewards.real import load_networks
from worldr1.rewards.semantic import calibrate

Alternatives = list[tuple[str, float]]  # token and probability


def answer(alternatives: Alternatives, **choice: Any) -> bytes:
    told = [{"token": token, "logprob": math.log(p)} for token, p in alternatives]
    content = [{"token": told[0]["token"], "logprob": told[0]["logprob"], "top_logprobs": told}] if told else []
    message = {"role": "assistant", "content": alternatives[0][0] if alternatives else ""}
    return json.dumps({"choices": [{"message": message, "logprobs": {"content": content}, **choice}]}).encode()


def rates(*alternatives: tuple[str, float], **choice: Any) -> Reply:
    return lambda handler, _: send(handler, 200, answer(list(alternatives), **choice))


def rates_brightness(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
    """Nine for white; late at random, so that answers come in another order than questions."""
    time.sleep(random.random() / 20)
    _, _, data = body["messages"][0]["content"][0]["image_url"]["url"].partition("base64,")
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    send(handler, 200, answer([(str(round(float(picture.mean()) / 255 * 9)), 1.0)]))


def never_alone(reply: Reply) -> Reply:
    """Answers when another request is under way."""
    two = threading.Barrier(2)

    def wait(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        two.wait(timeout=20)
        reply(handler, body)

    return wait


def judge_of(server: ChatServer, **more: Any) -> EndpointJudge:
    return EndpointJudge(
        Endpoint(server.url, "seer-1", **{"timeout_s": 0.25, "backoff_s": 0.01, "attempts": 2, **more})
    )


def ask(*replies: Reply, **more: Any) -> tuple[Tensor, ChatServer]:
    with ChatServer(*replies) as server:
        return judge_of(server, **more)(torch.full((1, 3, 16, 24), 0.5), ["good?"]), server


def test_the_answer_is_the_expectation_over_digits_with_and_without_a_space() -> None:
    found, server = ask(rates(("7", 0.4), (" 7", 0.1), ("2", 0.3), ("seven", 0.15), ("10", 0.05)))
    assert float(found) == pytest.approx((7 * 0.5 + 2 * 0.3) / 0.8 / 9, abs=1e-6)
    (request,) = server.requests
    assert (request["model"], request["max_tokens"], request["temperature"]) == ("seer-1", 1, 0)
    assert (request["logprobs"], request["top_logprobs"]) == (True, 20)
    picture, text = request["messages"][0]["content"]
    assert text == {"type": "text", "text": "good?"}
    assert picture["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_it_says_what_the_same_model_says_in_this_process() -> None:
    logits = torch.randn(12, generator=torch.Generator().manual_seed(0))
    levels = torch.arange(10.0)
    expected = float((logits[:10].softmax(0) * levels).sum())  # as TransformersJudge has it
    shares = logits.log_softmax(0).tolist()
    tokens = [*"0123456789", "a", "the"]
    told = [{"token": t, "logprob": s} for t, s in zip(tokens, shares, strict=True)]
    random.Random(0).shuffle(told)
    assert expected_digit(told) == pytest.approx(expected, abs=1e-5)


def test_answers_belong_to_their_questions_whatever_comes_first() -> None:
    levels = torch.randperm(30, generator=torch.Generator().manual_seed(1)) % 10
    frames = (levels / 9).view(-1, 1, 1, 1).expand(-1, 3, 8, 8)
    with ChatServer(never_alone(rates_brightness)) as server:
        found = judge_of(server, timeout_s=30.0)(frames, [f"question {i}" for i in range(30)])
        texts = {r["messages"][0]["content"][1]["text"] for r in server.requests}
    assert (found * 9).round().long().tolist() == levels.tolist()
    assert len(texts) == 30


@pytest.mark.parametrize(
    "first", [fails(500), fails(429, Retry_After="0.05"), truncated, slow(0.4)], ids=["500", "429", "cut", "slow"]
)
def test_a_passing_failure_is_tried_again(first: Reply) -> None:
    found, server = ask(first, rates(("9", 1.0)))
    assert float(found) == 1
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (fails(503), "2 attempts .HTTP 503"),
        (slow(0.4), "ReadTimeout"),
        (lambda h, _: send(h, 200, b"<html>"), "no chat completion"),
        (lambda h, _: send(h, 200, b'{"choices": [7]}'), "no chat completion"),
        (rates(("The", 0.9), ("8", 0.1)), "'The' rather than a digit"),
        (rates(("10", 0.9), ("100", 0.1)), "'10' rather than a digit"),
        (lambda h, _: send(h, 200, answer([("5", 0.9)]).replace(b"-0.1", b'NaN, "x": -0.1')), "not a number"),
        (lambda h, _: send(h, 200, answer([("5", 0.9)]).replace(b'"logprob"', b'"p"')), "cannot be read"),
    ],
    ids=["503", "slow", "html", "no-object", "word", "ten", "nan", "no-logprob"],
)
def test_what_is_no_answer_is_an_error_and_never_a_number(reply: Reply, why: str) -> None:
    with pytest.raises(EndpointError, match=why):
        ask(reply)


@pytest.mark.parametrize(
    "reply", [says_raw("7"), rates(("7", 1.0), logprobs=None), rates(), rates(("7", 1.0), logprobs={"content": None})]
)
def test_a_server_without_probabilities_is_refused_with_a_way_out(reply: Reply) -> None:
    with pytest.raises(ValueError, match=r"no top_logprobs.*vLLM"):
        ask(reply)


@pytest.mark.parametrize(("status", "hint"), [(401, r"\$SEER_KEY"), (404, "the model's name"), (400, "options")])
def test_a_refusal_is_the_users_error(status: int, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        ask(fails(status), key_variable="SEER_KEY")


def test_one_failure_among_many_is_raised() -> None:
    with ChatServer(rates(("9", 1.0)), rates(("9", 1.0)), fails(500)) as server, pytest.raises(EndpointError):
        judge_of(server)(torch.rand(4, 3, 8, 8), ["good?"] * 4)


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEER_KEY", "sesame")
    _, server = ask(rates(("9", 1.0)), key_variable="SEER_KEY")
    assert server.headers[0]["Authorization"] == "Bearer sesame"
    with pytest.raises(ValueError, match="OPENAI_API_KEY"):
        make_judge("http://me:secret@localhost/v1#seer")


def test_a_name_says_where_the_judge_is() -> None:
    with ChatServer(rates(("6", 1.0))) as server:
        judge = make_judge(f"{server.url}#org/seer-7b")
        assert isinstance(judge, EndpointJudge)
        assert float(judge(torch.rand(1, 3, 8, 8), ["good?"])) == pytest.approx(6 / 9)
        assert server.requests[0]["model"] == "org/seer-7b"
    with pytest.raises(ValueError, match="URL#MODEL"):
        make_judge("http://localhost:8000/v1")
    with pytest.raises(ValueError, match="no folder '/nowhere/at-all'"):
        make_judge("/nowhere/at-all")
    assert not isinstance(judge, TransformersJudge)


def test_a_stack_names_its_judge() -> None:
    with ChatServer(rates_brightness) as server:
        stack = get_stack("default", depth="tiny", judge=f"{server.url}#seer")
        # the features would come from the hub
        judge = load_networks(type(stack)("mine", stack.depth, stack.flow, judge=stack.judge)).judge
        assert judge is not None
        levels = calibrate(judge, {"a white wall": torch.ones(5, 3, 8, 8), "night": torch.zeros(5, 3, 8, 8)})
        asked = [r["messages"][0]["content"][1]["text"] for r in server.requests]
    assert levels == {"a white wall": 1, "night": 0}
    assert sum('"night"' in text for text in asked) == 4


def test_each_frame_needs_its_question() -> None:
    with pytest.raises(ValueError, match="as many questions"):
        EndpointJudge(Endpoint("http://localhost:9/v1", "seer"))(torch.rand(2, 3, 8, 8), ["good?"])
