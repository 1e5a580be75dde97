"""Packs make reading cheap and are never believed: whatever lies in their place, the answer is that of the events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.object_store import open_store
from mlops_ci.core.events import Event
from mlops_ci.core.state import Folding, fold
from mlops_ci.errors import IntegrityError, NotFoundError, OutsideError
from mlops_ci.pipeline import packs
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.packs import pack_numbers
from mlops_ci.ports import ObjectStore
from tests import logs
from tests.logs import A, B
from tests.stores import Place

SIZE = 10
LINES = (logs.registered(A, 1), logs.deployed(A), logs.verified(A), logs.held(A), logs.hold_released(A))
EVENTS = logs.log_of(*LINES * 7)
"""Three packs of ten, and five events beyond."""


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "SIZE", SIZE)


class Counted:
    """A store that counts what it is asked for, which may be told to forget objects."""

    def __init__(self, inner: ObjectStore) -> None:
        self._inner = inner
        self.url = inner.url
        self.asked: Counter[str] = Counter()
        self.fails: Callable[[str], bool] = lambda _path: False

    def get(self, path: str) -> bytes:
        self.asked["get"] += 1
        return self._inner.get(path)

    def create(self, path: str, data: bytes) -> bool:
        self.asked["create"] += 1
        if self.fails(path):
            raise OutsideError("the disk is full")
        return self._inner.create(path, data)

    def list(self, prefix: str) -> list[str]:
        self.asked["list"] += 1
        return self._inner.list(prefix)

    def folders(self, prefix: str) -> list[str]:
        return list(self._inner.folders(prefix))


def memory() -> Counted:
    return Counted(open_store("memory://"))


def log_in(store: ObjectStore) -> EventLog:
    return EventLog(store, SystemClock())


def filled(events: list[Event] = EVENTS, *, count: int | None = None) -> Counted:
    """A store with these events, and with `count` packs of them (None: all that are full)."""
    store = memory()
    for number, raw in logs.objects_of(events).items():
        store.create(f"events/m/{number}.json", raw)
    for number in range(1, (len(events) // SIZE if count is None else count) + 1):
        packs.write_pack(store, "m", number, events)
    store.asked.clear()
    return store


def pack_of(events: list[Event]) -> bytes:
    return b"".join(event.raw for event in events)


def anew(events: list[Event]) -> list[Event]:
    """The same with links made right again, as somebody would write who knows the rules."""
    chain: list[Event] = []
    for event in events:
        chain.append(replace(event, previous=chain[-1].digest if chain else event.previous))
    return chain


class TestWriting:
    def test_whoever_completes_a_thousand_writes_its_pack(self, place: Place) -> None:
        log = place.log()
        for _ in range(2 * SIZE + 1):
            log.record("m", *logs.held(A), actor="ada")
        events, store = list(log.read("m")), place.open()

        assert pack_numbers(store, "m") == [1, 2]
        assert store.get("packs/m/1.jsonl") == pack_of(events[:SIZE])
        assert store.get("packs/m/2.jsonl") == pack_of(events[SIZE : 2 * SIZE])
        assert place.log().read("m") == log.read("m")
        assert place.log().verify("m").problems == ()

    def test_no_pack_is_written_before_it_is_full(self) -> None:
        store = filled(EVENTS[: SIZE - 2])
        log = log_in(store)
        log.record("m", *logs.held(A), actor="ada")

        assert pack_numbers(store, "m") == []
        log.record("m", *logs.held(A), actor="ada")
        assert pack_numbers(store, "m") == [1]

    def test_packs_of_a_log_from_before_there_were_any_are_made_up_for(self) -> None:
        store = filled(count=0)
        log_in(store).record("m", *logs.held(A), actor="ada")

        assert pack_numbers(store, "m") == [1, 2, 3]
        assert log_in(store).verify("m").problems == ()

    def test_a_pack_that_cannot_be_written_is_no_failure_and_the_next_writer_makes_it(self) -> None:
        store = filled(EVENTS[: SIZE - 1])
        store.fails = lambda path: path.startswith("packs/")
        log = log_in(store)
        assert log.record("m", *logs.held(A), actor="ada").number == SIZE
        assert log.record("m", *logs.held(A), actor="ada").number == SIZE + 1
        store.fails = lambda _path: False
        log_in(store).record("m", *logs.held(A), actor="bob")

        assert pack_numbers(store, "m") == [1]
        assert log_in(store).verify("m").problems == ()

    def test_a_reader_writes_nothing(self) -> None:
        store = filled(count=0)
        log_in(store).state("m")

        assert store.asked["create"] == 0


class TestReading:
    def test_packs_and_events_give_the_same(self) -> None:
        with_packs, without = log_in(filled()), log_in(filled(count=0))

        assert list(with_packs.read("m")) == list(without.read("m")) == EVENTS
        assert with_packs.state("m") == fold(EVENTS)

    def test_a_gap_among_the_packs_is_read_from_the_events(self) -> None:
        store = filled(count=1)
        packs.write_pack(store, "m", 3, EVENTS)

        assert list(log_in(store).read("m")) == EVENTS

    def test_a_log_that_goes_on_after_its_packs_is_read_to_its_end(self) -> None:
        many = logs.log_of(*LINES * 60)

        assert list(log_in(filled(many, count=1)).read("m")) == many

    def test_a_gap_behind_the_packs_is_found(self) -> None:
        store = memory()
        for number, raw in logs.objects_of(EVENTS).items():
            if number != 32:
                store.create(f"events/m/{number}.json", raw)
        for number in (1, 2, 3):
            packs.write_pack(store, "m", number, EVENTS)

        with pytest.raises(IntegrityError, match=r"events/m/32\.json: is missing"):
            log_in(store).read("m")

    def test_reading_a_log_ten_times_as_long_takes_ten_times_the_packs_and_no_more_events(self) -> None:
        asked = {}
        for length in (100, 1000):
            store = filled(logs.log_of(*LINES * (length // 5)))
            log_in(store).state("m")
            asked[length] = store.asked["get"] - 2 * length // SIZE
            assert store.asked["list"] == 1

        assert asked[100] == asked[1000], "apart from each pack and its last event"
        assert asked[100] <= 128

    def test_an_append_to_a_log_that_is_known_costs_the_same_however_long_it_is(self) -> None:
        costs = []
        for length in (101, 1001):
            store = filled(logs.log_of(*[logs.held(A)] * length))
            log = log_in(store)
            log.state("m")
            store.asked.clear()
            log.record("m", *logs.held(A), actor="ada")
            costs.append(dict(store.asked))

        assert costs[0] == costs[1] == {"get": 1, "create": 1}

    def test_the_state_is_folded_on_and_not_anew(self, monkeypatch: pytest.MonkeyPatch) -> None:
        log, folded = log_in(filled()), Counter[int]()
        add = Folding.add
        monkeypatch.setattr(Folding, "add", lambda self, event: (folded.update([event.number]), add(self, event))[1])
        for _ in range(3):
            log.record("m", *logs.held(B), actor="ada")
            log.state("m")

        assert folded == Counter(range(1, 39)), "each event once"
        assert log.state("m") == fold(log.read("m"))


REWRITTEN = anew([replace(event, actor="eve") for event in EVENTS])
FALSE_PACKS: dict[str, bytes] = {
    "empty": b"",
    "garbage": b"\0\xff" * 500,
    "lines of garbage": b"{}\n" * SIZE,
    "truncated in a line": pack_of(EVENTS[10:20])[:-50],
    "truncated by a line": pack_of(EVENTS[10:19]),
    "one line too many": pack_of(EVENTS[10:21]),
    "another thousand": pack_of(EVENTS[:10]),
    "another model": pack_of(logs.log_of(*LINES * 7, model="other")[10:20]),
    "the whole log": pack_of(EVENTS),
    "written anew by the rules": pack_of(REWRITTEN[10:20]),
    "edited, with the true last event": pack_of([*REWRITTEN[10:19], EVENTS[19]]),
    "one event edited": pack_of([*EVENTS[10:14], replace(EVENTS[14], actor="eve"), *EVENTS[15:20]]),
    "reordered": pack_of([EVENTS[10], EVENTS[12], EVENTS[11], *EVENTS[13:20]]),
    "another spelling": pack_of(EVENTS[10:20]).replace(b'","', b'", "', 1),
    "a stranger among them": pack_of(EVENTS[10:15]) + b'{"a":1}\n' + pack_of(EVENTS[16:20]),
}


class TestFalsePacks:
    @pytest.mark.parametrize("what", FALSE_PACKS)
    def test_a_false_pack_changes_nothing_and_is_named(self, what: str) -> None:
        store = filled(count=1)
        store.create("packs/m/2.jsonl", FALSE_PACKS[what])
        packs.write_pack(store, "m", 3, EVENTS)
        log = log_in(store)

        assert list(log.read("m")) == EVENTS
        assert log.state("m") == fold(EVENTS)
        assert log.record("m", *logs.held(A), actor="ada").number == 36
        (problem,) = log.verify("m").problems
        assert problem.where == "packs/m/2.jsonl"
        assert "delete" in problem.fix

    @pytest.mark.parametrize("number", [4, 5, 10**15])
    def test_a_pack_of_events_that_are_not_there_yet_adds_none(self, number: int) -> None:
        store = filled()
        store.create(f"packs/m/{number}.jsonl", pack_of(logs.log_of(*LINES * 10)[30:40]))
        log = log_in(store)

        assert list(log.read("m")) == EVENTS
        assert [problem.where for problem in log.verify("m").problems] == [f"packs/m/{number}.jsonl"]

    @pytest.mark.parametrize("name", ["01.jsonl", "1.json", "x", "0.jsonl", "deeper/1.jsonl"])
    def test_what_is_no_pack_is_left_aside_and_named(self, name: str) -> None:
        store = filled()
        store.create(f"packs/m/{name}", pack_of(EVENTS[:10]))

        assert list(log_in(store).read("m")) == EVENTS
        assert [problem.where for problem in log_in(store).verify("m").problems] == [f"packs/m/{name}"]

    def test_packs_without_a_log_are_no_log(self) -> None:
        store = memory()
        packs.write_pack(store, "m", 1, EVENTS)

        assert log_in(store).read("m") == ()
        assert log_in(store).record("m", *logs.held(A), actor="ada").number == 1

    def test_a_log_that_was_cut_off_is_not_lengthened_by_its_packs(self) -> None:
        store = memory()
        for number, raw in logs.objects_of(EVENTS[:15]).items():
            store.create(f"events/m/{number}.json", raw)
        for number in (1, 2):
            packs.write_pack(store, "m", number, EVENTS)

        assert list(log_in(store).read("m")) == EVENTS[:15]

    @settings(deadline=None, max_examples=60)
    @given(st.data())
    def test_whatever_is_done_to_packs_the_events_are_read(self, data: st.DataObject) -> None:
        store = filled(count=0)
        for number in data.draw(st.sets(st.integers(min_value=1, max_value=4))):
            raw = bytearray(pack_of(EVENTS[(number - 1) * SIZE : number * SIZE]))
            for _ in range(data.draw(st.integers(min_value=0, max_value=3))):
                start = data.draw(st.integers(min_value=0, max_value=len(raw)))
                end = data.draw(st.integers(min_value=start, max_value=min(len(raw), start + 400)))
                raw[start:end] = data.draw(st.sampled_from([b"", b"\n", b"x", raw[start:end] * 2]))
            store.create(f"packs/m/{number}.jsonl", bytes(raw))

        assert list(log_in(store).read("m")) == EVENTS

    def test_an_event_that_was_edited_is_read_as_it_was_and_named(self) -> None:
        @dataclass
        class Edited:
            """A store in which the fourteenth event was edited after it had been packed."""

            inner: ObjectStore

            def __post_init__(self) -> None:
                self.url, self.create = self.inner.url, self.inner.create
                self.list, self.folders = self.inner.list, self.inner.folders

            def get(self, path: str) -> bytes:
                raw = self.inner.get(path)
                return raw.replace(b'"ci"', b'"eve"') if path == "events/m/14.json" else raw

        log = log_in(Edited(filled()))

        assert list(log.read("m")) == EVENTS, "the pack holds what the chain proves"
        assert [problem.where for problem in log.verify("m").problems] == ["events/m/15.json", "packs/m/2.jsonl"]

    def test_a_pack_that_was_deleted_is_not_missed(self) -> None:
        class Deleted(Counted):
            def get(self, path: str) -> bytes:
                if path == "packs/m/2.jsonl":
                    raise NotFoundError("it was listed a moment ago")
                return super().get(path)

        assert list(log_in(Deleted(filled())).read("m")) == EVENTS
