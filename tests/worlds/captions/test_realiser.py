"""Facts and the deterministic prose."""

from __future__ import annotations

import re

import pytest

from worldr1.worlds.captions.facts import LEVELS, Facts, facts_of, quantity, required
from worldr1.worlds.captions.realiser import realise, realise_all, sentences
from worldr1.worlds.record import Event, Record
from worlds.captions.records import hand_record, random_record

RECORD = hand_record()


def with_events(*events: Event, visible: list[int] | None = None) -> Facts:
    objects = list(RECORD.objects)
    if visible is not None:
        objects[0] = objects[0].model_copy(update={"visible_px": visible})
    return facts_of(RECORD.model_copy(update={"events": list(events), "objects": objects}))


def kinds(facts: Facts) -> set[str]:
    return {f.kind for f in facts.all if f.id.startswith("event")}


def test_the_schematic_says_it_all() -> None:
    text = realise(RECORD, "schematic", 0).text
    for words in ("35 mm", "36 mm sensor", "1.4 m above the ground", "10 degrees", "dolly in by 1.2 m from 0 s to 1 s",
                  "pan left by 15 degrees from 1 s to 2 s", "1.12 s", "overcast", "noon", "soft shadows",
                  "changes from 9 m to 5 m"):  # fmt: skip
        assert words in text


def test_same_key_same_words_other_seed_other_words() -> None:
    assert realise_all(RECORD) == realise_all(RECORD)
    assert len({realise(RECORD, "dense", seed).text for seed in range(20)}) > 10
    assert [c.level for c in realise_all(RECORD)] == list(LEVELS)


def test_every_number_is_a_facts_and_parses_back_exactly() -> None:
    for seed in range(100):
        record = random_record(seed)
        facts = facts_of(record)
        for level in LEVELS:
            for text, stated in sentences(record, level, facts=facts):
                values = {q.value for f in stated for q in f.quantities.values()}
                for printed in re.findall(r"\d+(?:\.\d+)?", re.sub(r"number \d+", "", text)):
                    assert float(printed) in values, (text, printed)


def test_numbers_have_units() -> None:
    for seed in range(100):
        for caption in realise_all(random_record(seed)):
            text = re.sub(r"number \d+|the \d+ ", "", caption.text)
            for m in re.finditer(r"\d+(?:\.\d+)?", text):
                before, after = text[: m.start()], text[m.end() :]
                assert before.endswith("factor of ") or re.match(r" (mm|m|degrees?|s|%)(?!\w)", after), text


@pytest.mark.parametrize(("value", "text"), [(1.2, "1.2"), (3.0, "3"), (10.0, "10"), (0.125, "0.12"), (-0.001, "0")])
def test_quantities_print_short(value: float, text: str) -> None:
    assert quantity(value, "m").text == text


def test_required_facts_grow_with_the_level() -> None:
    facts = facts_of(RECORD)
    short, camera, dense, schematic = (len(required(facts, level)) for level in LEVELS)
    assert short < dense < schematic
    assert {f.kind for f in required(facts, "camera")} == {"lens", "height", "pitch", "move", "object"}
    assert camera == 6


def test_invisible_objects_are_not_mentioned() -> None:
    objects = [*RECORD.objects[:2], RECORD.objects[2].model_copy(update={"visible_px": [11] * 17})]
    hidden = RECORD.model_copy(update={"objects": objects})
    assert all("tree" not in c.text for c in realise_all(hidden))
    assert any("tree" in c.text for c in realise_all(RECORD))
    larger = RECORD.clip.model_copy(update={"height": 640, "width": 640})  # 300 px are less there
    assert not facts_of(RECORD.model_copy(update={"clip": larger})).objects


def test_a_relation_holds_only_while_both_are_seen() -> None:
    facts = {f.id: f for f in facts_of(RECORD).all}
    assert facts["relation:1"].frames == (0, 3)
    seen = [0] * 12 + [200] * 5
    objects = [RECORD.objects[0].model_copy(update={"visible_px": seen}), *RECORD.objects[1:]]
    facts = {f.id: f for f in facts_of(RECORD.model_copy(update={"objects": objects})).all}
    assert "relation:1" not in facts
    assert facts["relation:2"].frames == (12, 16)
    assert facts["relation:0"].flags == {"whole"}


def test_no_onset_is_claimed_that_nobody_saw() -> None:
    partly = Event(kind="occlusion", object=0, others=[1], start=0, end=4, onset_seen=False, peak=0.5)
    (fact,) = (f for f in with_events(partly, visible=[40] * 5 + [200] * 12).all if f.kind == "occlusion")
    assert "start" not in fact.quantities
    assert "onset unseen" in fact.flags
    hidden = partly.model_copy(update={"full": True, "reappears": 5})
    assert kinds(with_events(hidden, visible=[0] * 5 + [200] * 12)) == {"reappearance"}


def test_a_passing_out_of_sight_is_no_passing() -> None:
    assert not facts_of(RECORD).of("passing")
    in_sight = [RECORD.objects[0].model_copy(update={"visible_px": [200] * 17}), *RECORD.objects[1:]]
    assert [f.word for f in facts_of(RECORD.model_copy(update={"objects": in_sight})).of("passing")] == ["behind"]


def test_an_occlusion_that_lasts_has_no_end() -> None:
    lasting = Event(kind="occlusion", object=0, others=[1], start=10, end=16, full=True, end_seen=False, peak=1.0)
    facts = with_events(lasting, visible=[200] * 11 + [0] * 6)
    (fact,) = (f for f in facts.all if f.kind == "occlusion")
    assert fact.quantities.keys() == {"start"}
    record = RECORD.model_copy(update={"events": [lasting]})
    assert "until the end" in realise(record, "dense", facts=facts).text


def test_events_nobody_can_see_are_left_out() -> None:
    unseen = Event(kind="collision", object=0, others=[1], start=6, end=6, peak=1.0)
    assert kinds(with_events(unseen)) == set()
    assert kinds(with_events(unseen.model_copy(update={"start": 12, "end": 12}))) == {"collision"}


def test_indoors_there_is_no_sky() -> None:
    room = RECORD.model_copy(update={"clip": RECORD.clip.model_copy(update={"family": "room"})})
    assert all("sky" not in c.text and "noon" not in c.text for c in realise_all(room))


def test_alike_objects_are_counted() -> None:
    tree = RECORD.objects[2]
    twin = tree.model_copy(update={"id": 3, "expression": "the right one of the two green trees"})
    first = tree.model_copy(update={"expression": "the left one of the two green trees"})
    record = RECORD.model_copy(update={"objects": [*RECORD.objects[:2], first, twin]})
    assert "two green trees" in realise(record, "dense", 0).text


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown caption level"):
        realise(RECORD, "long")  # type: ignore[arg-type]
    camera = RECORD.camera.model_copy(update={"focal_mm": [35.0]})
    broken: Record = RECORD.model_copy(update={"camera": camera})
    with pytest.raises(ValueError, match="focal lengths"):
        facts_of(broken)
