"""The endpoint and the captioner against a server on the loopback that answers, dawdles, breaks and lies."""

from __future__ import annotations

import base64
import time

import cv2
import numpy as np
import pytest

from chat_server import ChatServer, Reply, fails, says, says_raw, send, slow, truncated
from worldr1.worlds.captions.caption import Captioner
from worldr1.worlds.captions.facts import facts_of
from worldr1.worlds.captions.realiser import realise
from worldr1.worlds.captions.rewriter import EndpointConfig, EndpointRewriter, RewriterError, pick_frames
from worldr1.worlds.captions.verifier import verify
from worldr1.worlds.record import Caption
from worlds.captions.records import hand_record

RECORD = hand_record()
DRAFT = realise(RECORD, "short").text
GOOD = (
    "A shiny red car, a blue truck and a leafy green tree: the camera pushes in, then pans left. "
    "The car comes out from behind the truck."
)
LIE = GOOD.replace("left", "right")


def config(url: str, **more: object) -> EndpointConfig:
    return EndpointConfig(url, "loop-1", **{"timeout_s": 0.25, "backoff_s": 0.01, "attempts": 2, **more})  # type: ignore[arg-type]


def caption(*replies: Reply, **more: object) -> tuple[Caption, Captioner, ChatServer]:
    with ChatServer(*replies) as server, EndpointRewriter(config(server.url, **more)) as rewriter:
        captioner = Captioner(("short",), rewriter)
        (found,) = captioner(RECORD)
    return found, captioner, server


def test_a_good_answer_is_taken() -> None:
    assert verify(GOOD, RECORD, level="short").ok
    found, captioner, server = caption(says(GOOD, [{"fact": "move:0", "span": "the camera pushes in"}]))
    assert (found.text, found.source, found.model, found.level) == (GOOD, "rewriter", "loop-1", "short")
    assert (found.precision, found.recall) == (1.0, 1.0)
    assert len(found.prompt_hash) == 16
    assert captioner.tally == {"rewriter, first": 1}
    (request,) = server.requests
    assert request["response_format"] == {"type": "json_object"}
    assert DRAFT in request["messages"][1]["content"]


def test_an_answer_in_a_fence_is_read() -> None:
    found, _, _ = caption(says_raw(f'Here it is:\n```json\n{{"caption": "{GOOD}"}}\n```'))
    assert found.text == GOOD


@pytest.mark.parametrize(
    "first", [fails(500), fails(429, Retry_After="0.05"), truncated, slow(0.4)], ids=["500", "429", "cut", "slow"]
)
def test_a_passing_failure_is_tried_again(first: Reply) -> None:
    found, _, server = caption(first, says(GOOD))
    assert found.text == GOOD
    assert len(server.requests) == 2


def test_retry_after_is_waited_for_but_not_for_ever() -> None:
    start = time.monotonic()
    caption(fails(429, Retry_After="0.3"), says(GOOD))
    assert time.monotonic() - start >= 0.3
    start = time.monotonic()
    caption(fails(429, Retry_After="3600"), says(GOOD), max_wait_s=0.05)
    assert time.monotonic() - start < 1.5


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (slow(0.4), "ReadTimeout"),
        (fails(503), "HTTP 503"),
        (truncated, "RemoteProtocolError"),
        (lambda h, _: send(h, 200, b"<html>"), "no chat completion"),
    ],
    ids=["slow", "503", "cut", "html"],
)
def test_a_lasting_failure_falls_back_and_says_why(reply: Reply, why: str) -> None:
    found, captioner, _ = caption(reply)
    assert (found.text, found.source) == (DRAFT, "realiser")
    assert captioner.tally == {"realiser, rewriter failed": 1}
    assert why in captioner.notes[0]


def test_nobody_listening_falls_back() -> None:
    with EndpointRewriter(config("http://127.0.0.1:9/v1")) as rewriter:
        captioner = Captioner(("short",), rewriter)
        assert captioner(RECORD)[0].text == DRAFT
    assert "ConnectError" in captioner.notes[0]


@pytest.mark.parametrize("bad", [says(LIE), says_raw("not JSON"), says_raw('{"text": 1}'), says_raw('{"caption": "A')])
def test_a_bad_answer_is_revised(bad: Reply) -> None:
    found, captioner, server = caption(bad, says(GOOD))
    assert found.text == GOOD
    assert captioner.tally == {"rewriter, revised": 1}
    roles = [m["role"] for m in server.requests[1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]


def test_the_complaint_names_the_lie() -> None:
    _, _, server = caption(says(LIE), says(GOOD))
    assert "pans right" in server.requests[1]["messages"][-1]["content"]


def test_two_lies_fall_back() -> None:
    found, captioner, server = caption(says(LIE))
    assert (found.text, found.source, found.model) == (DRAFT, "realiser", "")
    assert captioner.tally == {"realiser, rewriter refused": 1}
    assert len(server.requests) == 2


def test_a_caption_that_leaves_out_a_fact_falls_back() -> None:
    found, captioner, _ = caption(says(GOOD.split(". ")[0] + "."))
    assert found.text == DRAFT
    assert "missing" in captioner.notes[0]


@pytest.mark.parametrize(("status", "hint"), [(401, "LOOP_KEY"), (404, "URL"), (400, "options")])
def test_a_refusal_is_the_users_error(status: int, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        caption(fails(status), key_variable="LOOP_KEY")


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="http://"):
        EndpointRewriter(config("localhost:8000/v1"))
    with pytest.raises(ValueError, match="attempts"):
        EndpointRewriter(config("http://localhost:8000/v1", attempts=0))


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOP_KEY", "sesame")
    _, _, server = caption(says(GOOD), key_variable="LOOP_KEY")
    assert server.headers[0]["Authorization"] == "Bearer sesame"
    monkeypatch.delenv("LOOP_KEY")
    _, _, server = caption(says(GOOD), key_variable="LOOP_KEY")
    assert "Authorization" not in server.headers[0]


def test_frames_travel_as_pictures() -> None:
    frames = np.zeros((17, 16, 24, 3), np.uint8)
    frames[..., 0] = np.linspace(0, 240, 17, dtype=np.uint8)[:, None, None]
    with ChatServer(says(GOOD)) as server, EndpointRewriter(config(server.url, max_frames=4)) as rewriter:
        Captioner(("short",), rewriter)(RECORD, frames)
    text, *pictures = server.requests[0]["messages"][1]["content"]
    assert DRAFT in text["text"]
    assert len(pictures) == 4
    data = base64.b64decode(pictures[-1]["image_url"]["url"].removeprefix("data:image/jpeg;base64,"))
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape == (16, 24, 3)
    assert abs(int(decoded[8, 8, 2]) - 240) < 8  # red stays red


def test_picked_frames_span_the_clip() -> None:
    frames = np.arange(17, dtype=np.uint8).reshape(17, 1, 1, 1)
    assert pick_frames(frames, 5).ravel().tolist() == [0, 4, 8, 12, 16]
    assert pick_frames(frames[:2], 5).ravel().tolist() == [0, 1]


def test_ask_raises_without_an_answer() -> None:
    with ChatServer(fails(500)) as server, EndpointRewriter(config(server.url)) as rewriter:
        with pytest.raises(RewriterError, match="2 attempts"):
            rewriter.ask([{"role": "user", "content": "hello"}])
        assert len(server.requests) == 2


def test_without_a_rewriter_the_realiser_speaks() -> None:
    captioner = Captioner()
    levels = [c.level for c in captioner(RECORD)]
    assert levels == ["short", "camera", "dense", "schematic"]
    assert captioner.tally == {"realiser": 4}
    assert facts_of(RECORD).objects.keys() == {0, 1, 2}
