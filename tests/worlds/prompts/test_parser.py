"""Free phrasing, most of it in `phrasings.jsonl`: "pan left 30 + tilt up; fixed" is two moves at once, then a rest."""

import json
from pathlib import Path

import pytest

from worldr1.worlds.prompts.parser import parse_camera, parse_shake_deg
from worldr1.worlds.scene import Move

ROWS = [json.loads(line) for line in (Path(__file__).parent / "phrasings.jsonl").read_text().splitlines()]


def kinds(text: str) -> list[str]:
    return [m.kind for m in parse_camera(text)]


def is_right(row: dict[str, str]) -> bool:
    moves = parse_camera(row["text"])
    expected = [(name, i > 0) for group in row["moves"].split(";") for i, name in enumerate(group.split("+")) if name]
    if len(moves) != len(expected) or (parse_shake_deg(row["text"]) > 0) != ("handheld" in row):
        return False
    for i, (move, (name, at_once)) in enumerate(zip(moves, expected, strict=True)):
        words = name.split()
        if words[-1][0].isdigit() and move.magnitude != pytest.approx(float(words.pop())):
            return False
        if move.kind != " ".join(words):
            return False
        if i and at_once != (move.start == moves[i - 1].start):
            return False
    return True


def test_phrasings() -> None:
    """All but one of 310, where 98 of 100 are asked.

    The rules were written for set 1; when first tried, 78 of the 82 of set 2 were right and 35 of 40 of the harder
    set 3.
    """
    traps = [row for row in ROWS if not row["moves"]]
    assert len(ROWS) >= 220
    assert len(traps) >= 80
    assert len({row["text"] for row in ROWS}) == len(ROWS)
    wrong = [row["text"] for row in ROWS if not is_right(row)]
    assert len(wrong) <= 1, wrong


def test_moves_one_after_another_share_the_clip() -> None:
    assert parse_camera("The camera pans left 30 degrees, then dollies in 2 m.") == [
        Move("pan left", 0.0, 0.5, 30.0),
        Move("dolly in", 0.5, 1.0, 2.0),
    ]


def test_moves_at_once_share_their_span() -> None:
    a, b, c = parse_camera("The camera rises while tilting down, then zooms in.")
    assert (a.kind, b.kind, c.kind) == ("pedestal up", "tilt down", "zoom in")
    assert (a.start, a.end) == (b.start, b.end) == (0.0, 0.5)
    assert (c.start, c.end) == (0.5, 1.0)


def test_seconds_in_the_text_divide_the_clip() -> None:
    a, b = parse_camera("The camera pushes in for three seconds, then pans right for one second.")
    assert (a.end, b.start) == (0.75, 0.75)


def test_adverbs_scale_what_has_no_number_and_nothing_else() -> None:
    slow, usual, fast = (parse_camera(f"The camera {w}pans left.")[0] for w in ("slowly ", "", "quickly "))
    assert slow.magnitude < usual.magnitude < fast.magnitude
    assert parse_camera("The camera slowly pans left by 40 degrees.")[0].magnitude == 40
    assert parse_camera("The camera slowly zooms out.")[0].magnitude > 1


def test_ease() -> None:
    assert parse_camera("The camera smoothly pushes in.")[0].ease == "smooth"
    assert parse_camera("The camera pushes in.")[0].ease == "linear"


def test_clockwise_is_seen_from_above_around_something_and_from_behind_otherwise() -> None:
    assert kinds("The camera circles the statue clockwise.") == ["orbit left"]
    assert kinds("The camera turns clockwise around the statue.") == ["orbit left"]
    assert kinds("The camera rolls clockwise.") == ["roll clockwise"]
    assert kinds("The camera rotates clockwise.") == ["roll clockwise"]


def test_what_the_scene_does_stays_out_of_a_long_text() -> None:
    text = (
        "A harbour at dusk. A crane swings a crate to the left, a boat pulls back from the quay and a man tilts his "
        "hat. A lamp fixed to the wall burns; to the right of it a truck backs up. As gulls circle the mast, the "
        "camera slowly tracks right past the nets, then tilts up 20 degrees. A dog looks down from the deck."
    )
    moves = parse_camera(text)
    assert [m.kind for m in moves] == ["truck right", "tilt up"]
    assert moves[1].magnitude == 20


def test_a_text_without_a_camera_asks_for_none() -> None:
    assert parse_camera("A red ball rolls to the left and a truck turns right.") == []
    assert parse_camera("The tram stops, pushes back and pulls out.") == []
    assert parse_camera("") == []


def test_text_that_is_no_prose_is_read_all_the_same() -> None:
    assert kinds("The camera pans <left>, 30\u00b0!") == ["pan left"]
    assert kinds("The lens goes from 35 mm to 35 mm.") == []
