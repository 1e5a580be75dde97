"""Nothing in a log can be changed without being found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_ci.core.chain import Anchor, anchors_in, read_chain
from mlops_ci.core.digest import canonical_json, sha256
from mlops_ci.core.events import Event, timestamp
from mlops_ci.core.subjects import SUBJECTS
from tests import logs
from tests.logs import A, B, log_of, objects_of

EVENTS = log_of(
    logs.registered(A, 1, "first"),
    logs.deployed(A),
    logs.verified(A),
    logs.opened(A, 7),
    logs.approved(A, ["ada", "zoë"], 7),
    logs.step(A, 50),
    logs.promoted(A),
    logs.registered(B, 2),
    logs.deployed(B, previous=A),
    logs.held(A),
)
OBJECTS = objects_of(EVENTS)
HEAD = Anchor(number=10, digest=EVENTS[-1].digest)


def what(objects: dict[int, bytes], *anchors: Anchor) -> list[str]:
    """The findings, each with the place it names."""
    return [f"{problem.where} {problem.what}" for problem in read_chain("m", objects, anchors=anchors).problems]


def rechained(events: list[Event]) -> dict[int, bytes]:
    """What somebody would write who knows the rules: all numbers and links made right again."""
    chain: list[Event] = []
    for number, event in enumerate(events, start=1):
        chain.append(replace(event, number=number, previous=chain[-1].digest if chain else "0" * 64))
    return objects_of(chain)


class TestIntact:
    def test_a_log_as_it_was_written_is_read_whole(self) -> None:
        chain = read_chain("m", OBJECTS, anchors=[HEAD])

        assert list(chain.events) == EVENTS
        assert chain.head == HEAD
        assert chain.problems == ()

    def test_the_order_in_which_the_objects_come_does_not_matter(self) -> None:
        assert list(read_chain("m", dict(reversed(OBJECTS.items()))).events) == EVENTS

    def test_no_log_is_an_intact_log(self) -> None:
        chain = read_chain("m", {})

        assert chain.events == ()
        assert chain.head.number == 0
        assert chain.problems == ()

    def test_a_reading_goes_on_where_another_ended(self) -> None:
        rest = {number: raw for number, raw in OBJECTS.items() if number > 4}
        chain = read_chain("m", rest, after=EVENTS[3], anchors=[Anchor(number=2, digest="f" * 64), HEAD])

        assert list(chain.events) == EVENTS[4:]
        assert chain.problems == ()

    def test_a_reading_that_goes_on_finds_that_its_beginning_was_exchanged(self) -> None:
        rest = {number: raw for number, raw in OBJECTS.items() if number > 4}
        chain = read_chain("m", rest, after=replace(EVENTS[3], actor="eve"))

        assert [problem.where for problem in chain.problems] == ["events/m/5.json"]


class TestTampering:
    def test_an_edited_event_is_found_at_the_one_that_follows_it(self) -> None:
        edited = replace(EVENTS[4], subject={**EVENTS[4].subject, "by": ["eve"]})

        assert what(OBJECTS | {5: canonical_json(edited.to_json())}) == [
            "events/m/6.json does not follow event 5: one of the two was edited or exchanged after it was written"
        ]

    def test_a_missing_event_is_a_gap(self) -> None:
        objects = {number: raw for number, raw in OBJECTS.items() if number != 5}

        assert what(objects) == ["events/m/5.json is missing, and later events are there"]

    def test_a_gap_of_any_size_is_one_finding(self) -> None:
        assert what(OBJECTS | {10**17: OBJECTS[1]})[0] == (
            f"events/m/11.json and all events up to {10**17 - 1} are missing, and later events are there"
        )

    def test_a_missing_beginning_is_a_gap(self) -> None:
        objects = {number: raw for number, raw in OBJECTS.items() if number > 2}

        assert what(objects) == ["events/m/1.json and all events up to 2 are missing, and later events are there"]

    def test_events_that_changed_places_say_so(self) -> None:
        found = what(OBJECTS | {5: OBJECTS[6], 6: OBJECTS[5]})

        assert "events/m/5.json calls itself event 6: it was moved, copied or renumbered" in found
        assert "events/m/6.json calls itself event 5: it was moved, copied or renumbered" in found

    def test_a_fork_is_named_with_its_root(self) -> None:
        fork = replace(EVENTS[5], previous=EVENTS[2].digest)

        assert what(OBJECTS | {6: canonical_json(fork.to_json())})[0] == (
            "events/m/6.json follows event 3 and not event 5: "
            "the log forks here, or an event was dropped, inserted or moved"
        )

    def test_a_second_beginning_is_found(self) -> None:
        again = replace(EVENTS[5], previous="0" * 64)

        assert what(OBJECTS | {6: canonical_json(again.to_json())})[0].startswith(
            "events/m/6.json follows the beginning and not event 5"
        )

    def test_an_event_of_another_model_is_found(self) -> None:
        other = log_of(logs.registered(A, 1, "first"), model="other")

        assert what(objects_of(other)) == ["events/m/1.json belongs to the model 'other'"]

    def test_time_that_runs_backwards_is_found(self) -> None:
        late = replace(EVENTS[4], time=timestamp(logs.moment(60)))
        found = what(rechained([*EVENTS[:4], late, *EVENTS[5:]]))

        assert len(found) == 5
        assert "earlier than" in found[0]

    def test_two_events_of_the_same_moment_are_in_order(self) -> None:
        same = replace(EVENTS[4], time=EVENTS[3].time)

        assert what(rechained([*EVENTS[:4], same, *EVENTS[5:]])) == []

    @pytest.mark.parametrize(
        ("rewrite", "finding"),
        [
            (lambda raw: raw.replace(b'","', b'", "', 1), "not in the one spelling"),
            (lambda raw: raw.rstrip(b"\n"), "not in the one spelling"),
            (lambda raw: raw.replace(b'{"actor":"ci"', b'{"actor":"eve","actor":"ci"'), "not in the one spelling"),
            (lambda raw: raw.replace("zoë".encode(), b"zo\\u00eb"), "not in the one spelling"),
        ],
    )
    def test_the_same_meaning_in_another_spelling_is_found(
        self, rewrite: Callable[[bytes], bytes], finding: str
    ) -> None:
        spelled = rewrite(OBJECTS[5])

        assert spelled != OBJECTS[5]
        assert finding in what(OBJECTS | {5: spelled})[0]

    @pytest.mark.parametrize(
        "raw",
        [
            *(b"", b"\0", b"{", b"null", b"[]", b'"text"', b"\xff\xfe", b"{}", b'{"a":NaN}', b'{"a":1e999}'),
            *(b'{"a":"\\ud800"}', b"[" * 100_000, b"9" * 10_000),
        ],
    )
    def test_what_is_no_event_is_a_finding_and_no_crash(self, raw: bytes) -> None:
        found = what(OBJECTS | {5: raw})

        assert found[0].startswith("events/m/5.json ")
        assert len(read_chain("m", OBJECTS | {5: raw}).events) == 9

    @pytest.mark.parametrize("key", list(EVENTS[0].to_json()))
    @pytest.mark.parametrize("value", [None, True, 3.5, "", "x", [], {}, [1], {"a": []}, "missing"])
    def test_a_field_of_another_shape_is_a_finding_and_no_crash(self, key: str, value: Any) -> None:
        spoilt = EVENTS[4].to_json() | {key: value}
        if value == "missing":
            del spoilt[key]

        fine = (key == "evidence" and value == []) or (key in {"actor", "nonce"} and isinstance(value, str))
        found = what(OBJECTS | {5: canonical_json(spoilt)})
        assert found, "at the least, event 6 does not follow this one"
        assert found[0].startswith("events/m/6.json" if fine and value != "missing" else "events/m/5.json")

    def test_a_field_that_no_event_has_is_a_finding(self) -> None:
        assert "'extra' is unknown" in what({1: canonical_json(EVENTS[0].to_json() | {"extra": 1})})[0]

    def test_a_kind_of_a_newer_toolkit_is_named(self) -> None:
        found = what(OBJECTS | {5: canonical_json(EVENTS[4].to_json() | {"kind": "teleported"})})

        assert "unknown to this mlops-ci" in found[0]
        assert "'teleported'" in found[0]

    @pytest.mark.parametrize(
        "time", ["2026-02-30T09:00:00.000000Z", "2026-19-39T29:59:59.000000Z", "0000-01-01T00:00:00.000000Z"]
    )
    def test_a_time_that_cannot_be_is_a_finding(self, time: str) -> None:
        assert "which is not UTC" in what({1: canonical_json(EVENTS[0].to_json() | {"time": time})})[0]

    @pytest.mark.parametrize("kind", sorted(SUBJECTS))
    def test_a_subject_without_its_keys_is_a_finding(self, kind: str) -> None:
        event = replace(EVENTS[0], kind=kind, subject={"note": "nothing else"})  # type: ignore[arg-type]
        required = [key for key in SUBJECTS[kind] if not key.endswith("?")]

        assert what({1: canonical_json(event.to_json())}) == [
            f"events/m/1.json subject.{key} is missing" for key in required
        ]


class TestAnchors:
    def test_a_log_that_lost_its_newest_events_is_found_by_an_anchor_only(self) -> None:
        objects = {number: raw for number, raw in OBJECTS.items() if number < 9}

        assert what(objects) == []
        assert what(objects, HEAD) == [
            f"events/m/10.json is missing: an anchor from outside the log names it ({HEAD.digest})"
        ]

    def test_a_log_written_anew_by_the_rules_is_found_by_an_anchor_only(self) -> None:
        anew = rechained([replace(event, actor="eve") for event in EVENTS])

        assert what(anew) == []
        assert len(what(anew, HEAD)) == 1
        assert "it was rewritten" in what(anew, HEAD)[0]

    def test_a_log_that_has_grown_since_agrees_with_its_anchor(self) -> None:
        assert what(OBJECTS, Anchor(number=3, digest=EVENTS[2].digest)) == []

    def test_an_anchor_finds_that_the_whole_log_is_gone(self) -> None:
        assert len(what({}, HEAD)) == 1

    def test_a_trailer_of_a_commit_carries_an_anchor(self) -> None:
        trailer = HEAD.trailer("m")
        message = f"Promote m\n\nSigned-off-by: Ada\n{trailer}\n"
        other = "Mlops-Log: m 3 short\n\nsee Mlops-Log: m 4 " + "a" * 64

        assert trailer == f"Mlops-Log: m 10 {HEAD.digest}"
        assert anchors_in(message, "m") == [HEAD]
        assert anchors_in(f"{message}\n{other}\r\n", "m") == [HEAD]
        assert anchors_in(trailer + "\r\n", "m") == [HEAD]

    def test_an_anchor_of_another_model_says_nothing_about_this_one(self) -> None:
        assert anchors_in(f"Both\n\n{HEAD.trailer('other')}\n{HEAD.trailer('m')}\n", "m") == [HEAD]

    def test_a_trailer_of_old_that_names_no_model_still_counts(self) -> None:
        assert anchors_in(f"Promote m\n\nMlops-Log: 10 {HEAD.digest}\n", "m") == [HEAD]


numbers = st.integers(min_value=1, max_value=len(OBJECTS))


def shifted(events: list[bytes]) -> dict[int, bytes]:
    return dict(enumerate(events, start=1))


@settings(deadline=None)
@given(numbers, st.data())
def test_any_changed_byte_is_found(number: int, data: st.DataObject) -> None:
    raw = bytearray(OBJECTS[number])
    position = data.draw(st.integers(min_value=0, max_value=len(raw) - 1))
    raw[position] ^= data.draw(st.integers(min_value=1, max_value=255))

    assert what(OBJECTS | {number: bytes(raw)}, HEAD)


@settings(deadline=None)
@given(numbers, st.data())
def test_any_byte_taken_away_or_put_in_is_found(number: int, data: st.DataObject) -> None:
    raw = OBJECTS[number]
    position = data.draw(st.integers(min_value=0, max_value=len(raw) - 1))
    put_in = data.draw(st.binary(max_size=1))

    assert what(OBJECTS | {number: raw[:position] + put_in + raw[position + (not put_in) :]}, HEAD)


@settings(deadline=None)
@given(numbers, st.booleans())
def test_any_event_taken_away_is_found(number: int, close_the_gap: bool) -> None:
    rest = [raw for other, raw in OBJECTS.items() if other != number]
    objects = {other: raw for other, raw in OBJECTS.items() if other != number}

    assert what(shifted(rest) if close_the_gap else objects, HEAD)


@settings(deadline=None)
@given(numbers, st.integers(min_value=0, max_value=len(OBJECTS)))
def test_any_event_written_twice_is_found(number: int, position: int) -> None:
    copies = list(OBJECTS.values())
    copies.insert(position, OBJECTS[number])

    assert what(shifted(copies), HEAD)


@settings(deadline=None)
@given(numbers, numbers)
def test_any_two_events_that_changed_places_are_found(one: int, other: int) -> None:
    swapped = OBJECTS | {one: OBJECTS[other], other: OBJECTS[one]}

    assert bool(what(swapped, HEAD)) == (one != other)


@settings(deadline=None)
@given(st.permutations(EVENTS))
def test_any_other_order_is_found_even_when_numbers_and_links_were_made_right(order: list[Event]) -> None:
    assert bool(what(rechained(order), HEAD)) == (order != EVENTS)


def altered(event: Event, by: str) -> Event:
    return replace(event, actor=by, nonce="f" * 32)


@settings(deadline=None)
@given(numbers, st.integers(min_value=1, max_value=len(OBJECTS)), st.booleans())
def test_any_fork_is_found_however_long_it_is_and_whatever_of_the_rest_is_left(
    number: int, length: int, replaced: bool
) -> None:
    """From one event on the log goes on otherwise, by the rules; then perhaps with what it was before."""
    other = [*EVENTS[: number - 1], *(altered(event, "eve") for event in EVENTS[number - 1 : number - 1 + length])]
    forked = rechained(other)

    assert what(forked if replaced else OBJECTS | forked, HEAD)


@settings(deadline=None)
@given(numbers, st.booleans())
def test_any_event_put_in_is_found_even_when_numbers_and_links_were_made_right(number: int, link: bool) -> None:
    longer = [*EVENTS[: number - 1], altered(EVENTS[number - 1], "eve"), *EVENTS[number - 1 :]]
    numbered = [replace(event, number=place) for place, event in enumerate(longer, start=1)]

    assert what(rechained(longer) if link else objects_of(numbered), HEAD)


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=len(OBJECTS) - 1), numbers)
def test_any_end_that_was_cut_off_is_found_by_an_anchor_within_it(left: int, anchored: int) -> None:
    anchor = Anchor(number=anchored, digest=EVENTS[anchored - 1].digest)
    found = what({number: raw for number, raw in OBJECTS.items() if number <= left}, anchor)

    assert found == (
        []
        if anchored <= left
        else [f"events/m/{anchored}.json is missing: an anchor from outside the log names it ({anchor.digest})"]
    )


@settings(deadline=None)
@given(st.dictionaries(numbers, st.binary(max_size=40)))
def test_whatever_stands_in_the_objects_is_reported_and_never_raised(garbage: dict[int, bytes]) -> None:
    chain = read_chain("m", OBJECTS | garbage, anchors=[HEAD])

    assert bool(chain.problems) == bool(garbage)
    assert all(problem.where.startswith("events/m/") and problem.fix for problem in chain.problems)
    assert chain.head == Anchor(number=10, digest=sha256((OBJECTS | garbage)[10]))


def test_a_finding_says_which_object_to_restore() -> None:
    problems = read_chain("m", {1: json.dumps(EVENTS[0].to_json()).encode()}).problems

    assert problems[0].where == "events/m/1.json"
    assert "restore the object" in problems[0].fix
