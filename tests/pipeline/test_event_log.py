"""One chain, whoever writes at once, whatever the store loses; and a verification that finds what was done to it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.object_store import open_store
from mlops_ci.core.chain import Anchor
from mlops_ci.core.digest import canonical_json
from mlops_ci.core.state import ModelState
from mlops_ci.errors import ConfigurationError, IntegrityError, OutsideError
from mlops_ci.pipeline.event_log import EventLog, NewEvent
from mlops_ci.ports import ObjectStore
from tests import logs
from tests.logs import A, B, Entry
from tests.s3 import S3Server
from tests.stores import Place


@dataclass
class SetClock(SystemClock):
    """Shows what it was set to."""

    time: datetime = field(default=datetime(2026, 3, 1, 9, tzinfo=UTC))

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def on_s3(s3: S3Server) -> Place:
    return Place(url=s3.new_bucket(), options=s3.options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log of five events on this disk, to be tampered with."""
    log = EventLog(open_store(str(tmp_path)), SetClock())
    for entry in (logs.registered(A, 1), logs.deployed(A), logs.verified(A), logs.opened(A, 1), logs.promoted(A)):
        write(log, entry)
    events = tmp_path / "events" / "m"
    for path in events.iterdir():
        path.chmod(0o644)
    return events


def write(log: EventLog, entry: Entry) -> None:
    log.record("m", *entry, actor="ada")  # type: ignore[arg-type]


class TestAppend:
    def test_what_was_recorded_is_read_by_another_reader(self, place: Place) -> None:
        first = place.log().record("m", "verified", logs.verified(A)[1], actor="ada", evidence=[B])
        second = place.log().record("m", "held", logs.held(A)[1], actor="bob")

        assert place.log().read("m") == (first, second)
        assert (first.number, first.actor, first.evidence, first.previous) == (1, "ada", (B,), "0" * 64)
        assert (second.number, second.previous) == (2, first.digest)
        assert place.open().get("events/m/2.json") == canonical_json(second.to_json())

    def test_a_model_without_events_has_an_empty_log(self, place: Place) -> None:
        assert place.log().read("m") == ()
        assert place.log().state("m").events == 0
        assert place.log().models() == []

    def test_models_have_logs_of_their_own(self, place: Place) -> None:
        log = place.log()
        log.record("one", "verified", logs.verified(A)[1], actor="ada")
        log.record("two", "verified", logs.verified(B)[1], actor="ada")

        assert place.log().models() == ["one", "two"]
        assert [event.number for event in place.log().read("two")] == [1]

    def test_a_reader_sees_what_others_write_meanwhile(self, place: Place) -> None:
        reader, writer = place.log(), place.log()
        for count in range(1, 8):
            write(writer, logs.held(A))
            assert len(reader.read("m")) == count
        for _ in range(20):
            write(writer, logs.held(A))
        assert reader.read("m") == writer.read("m") == place.log().read("m")

    def test_a_decision_that_finds_nothing_to_say_writes_nothing(self, place: Place) -> None:
        def once(state: ModelState) -> NewEvent | None:
            if "verified" in state.latest:
                return None
            return NewEvent(kind="verified", subject=logs.verified(A)[1], actor="ci")

        first, again = place.log().append("m", once), place.log().append("m", once)

        assert first is not None
        assert again is None
        assert len(place.log().read("m")) == 1

    def test_a_decision_on_a_stale_state_is_made_again(self, place: Place) -> None:
        rival = place.log()
        seen: list[int] = []

        def decide(state: ModelState) -> NewEvent:
            seen.append(state.events)
            if len(seen) == 1:  # somebody is faster, between the reading and the writing
                write(rival, logs.held(A))
            return NewEvent(kind="hold-released", subject=logs.hold_released(A)[1], actor="ci")

        event = place.log().append("m", decide)

        assert seen == [0, 1]
        assert event is not None
        assert [event.kind for event in place.log().read("m")] == ["held", "hold-released"]

    def test_an_error_in_the_decision_writes_nothing(self, place: Place) -> None:
        def refuse(_: ModelState) -> NewEvent:
            raise ConfigurationError("no")

        with pytest.raises(ConfigurationError):
            place.log().append("m", refuse)
        assert place.log().read("m") == ()

    def test_time_never_runs_backwards(self, tmp_path: Path) -> None:
        clock = SetClock()
        log = EventLog(open_store(str(tmp_path)), clock)
        write(log, logs.held(A))
        clock.time -= timedelta(days=1)
        write(log, logs.hold_released(A))
        clock.time += timedelta(days=2)
        write(log, logs.held(A))

        assert [event.time for event in log.read("m")] == [
            "2026-03-01T09:00:00.000000Z",
            "2026-03-01T09:00:00.000000Z",
            "2026-03-02T09:00:00.000000Z",
        ]

    @pytest.mark.parametrize(
        ("kind", "subject", "actor", "evidence"),
        [
            ("verified", {"environment": "qa"}, "ada", []),
            ("verified", {"environment": "qa", "release": 7}, "ada", []),
            ("registered", logs.registered(A, 1)[1] | {"version": True}, "ada", []),
            ("rollout-step", logs.step(A, 10)[1] | {"reasons": [1]}, "ada", []),
            ("teleported", {}, "ada", []),
            ("verified", logs.verified(A)[1], "", []),
        ],
    )
    def test_an_event_that_nobody_could_read_is_not_written(
        self, tmp_path: Path, kind: str, subject: dict[str, object], actor: str, evidence: list[str]
    ) -> None:
        log = EventLog(open_store(str(tmp_path)), SetClock())

        with pytest.raises(ValueError, match=kind):
            log.record("m", kind, subject, actor=actor, evidence=evidence)  # type: ignore[arg-type]
        assert log.read("m") == ()

    def test_evidence_is_digests_only(self, tmp_path: Path) -> None:
        log = EventLog(open_store(str(tmp_path)), SetClock())

        with pytest.raises(ConfigurationError, match="not a digest"):
            log.record("m", "verified", logs.verified(A)[1], actor="ada", evidence=["report.html"])

    @pytest.mark.parametrize("model", ["", "../m", "a/b", ".hidden"])
    def test_a_hostile_model_name_is_refused(self, tmp_path: Path, model: str) -> None:
        log = EventLog(open_store(str(tmp_path)), SetClock())

        for attempt in (log.read, log.state, log.verify):
            with pytest.raises(ConfigurationError):
                attempt(model)


class TestLostReplies:
    """The store has written, and the writer never hears of it."""

    @pytest.mark.parametrize("how", ["lose", "drop"])
    def test_an_event_is_not_written_twice(self, s3: S3Server, on_s3: Place, how: str) -> None:
        log = on_s3.log()
        write(log, logs.held(A))
        s3.fail_next_put("lose" if how == "lose" else "drop")
        event = log.record("m", "hold-released", logs.hold_released(A)[1], actor="ada")

        assert event.number == 2
        assert on_s3.log().read("m") == log.read("m")
        assert [event.kind for event in on_s3.log().read("m")] == ["held", "hold-released"]

    def test_an_event_is_not_written_twice_when_the_library_gives_up(self, tmp_path: Path) -> None:
        class GivesUp:
            """Writes, and fails all the same."""

            def __init__(self, inner: ObjectStore) -> None:
                self._inner = inner
                self.url, self.get, self.list, self.folders = inner.url, inner.get, inner.list, inner.folders

            def create(self, path: str, data: bytes) -> bool:
                self._inner.create(path, data)
                raise OutsideError("timed out")

        log = EventLog(GivesUp(open_store(str(tmp_path))), SetClock())
        event = log.record("m", "held", logs.held(A)[1], actor="ada")

        assert log.read("m") == (event,)

    def test_a_failure_that_wrote_nothing_is_told(self, s3: S3Server, on_s3: Place) -> None:
        s3.fail_next_put("deny")

        with pytest.raises(OutsideError):
            on_s3.log().record("m", "held", logs.held(A)[1], actor="ada")
        assert on_s3.log().read("m") == ()


@dataclass
class PatientClock(SetClock):
    """Notes how long it was asked to wait, and does not; what `meanwhile` does has happened by then."""

    slept: list[float] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.meanwhile()


class TestTakenNumbers:
    def test_a_number_under_which_nothing_lies_is_an_error_and_no_endless_search(self, tmp_path: Path) -> None:
        clock = PatientClock()
        log = EventLog(open_store(str(tmp_path)), clock)
        write(log, logs.held(A))
        (tmp_path / "events" / "m" / "2.json").mkdir()

        with pytest.raises(OutsideError, match=r"says that events/m/2\.json is there, and gives nothing"):
            write(log, logs.held(A))
        assert 0 < sum(clock.slept) < 10

    def test_a_rival_whose_put_is_still_on_its_way_is_waited_for(self, tmp_path: Path) -> None:
        class Conflicting:
            """Refuses the first put because of another that has not come to its end."""

            def __init__(self, inner: ObjectStore) -> None:
                self.url, self.get, self.list, self.folders = inner.url, inner.get, inner.list, inner.folders
                self._inner, self._refused = inner, False

            def create(self, path: str, data: bytes) -> bool:
                refuse, self._refused = not self._refused, True
                return not refuse and self._inner.create(path, data)

        store = open_store(str(tmp_path))
        rival = EventLog(store, SetClock())
        clock = PatientClock(meanwhile=lambda: write(rival, logs.held(A)))
        log = EventLog(Conflicting(store), clock)
        event = log.record("m", "hold-released", logs.hold_released(A)[1], actor="ada")

        assert (event.number, len(clock.slept)) == (2, 1)
        assert [event.kind for event in log.read("m")] == ["held", "hold-released"]


class TestRaces:
    def test_threads_write_one_chain(self, place: Place) -> None:
        writers, count = 8, 6
        start = Barrier(writers)

        def run(writer: int) -> None:
            log = place.log()
            start.wait()
            for number in range(count):
                subject = {"environment": "qa", "release": f"{writer}-{number}", "reason": "x"}
                log.record("m", "held", subject, actor=str(writer))

        with ThreadPoolExecutor(writers) as pool:
            list(pool.map(run, range(writers)))

        self.expect_one_chain(place, writers, count)

    def test_threads_may_share_one_log(self, place: Place) -> None:
        log = place.log()

        def run(writer: int) -> None:
            for number in range(6):
                subject = {"environment": "qa", "release": f"{writer}-{number}", "reason": "x"}
                log.record("m", "held", subject, actor=str(writer))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(run, range(8)))

        self.expect_one_chain(place, 8, 6)
        assert log.read("m") == place.log().read("m")

    def expect_one_chain(self, place: Place, writers: int, count: int) -> None:
        verification = place.log().verify("m")
        assert verification.problems == ()
        assert verification.events == writers * count
        events = place.log().read("m")
        for writer in range(writers):
            own = [event.subject["release"] for event in events if event.actor == str(writer)]
            assert own == [f"{writer}-{number}" for number in range(count)], "in the writer's own order, none twice"


Tampering = Callable[[Path], object]
TAMPERINGS: dict[str, Tampering] = {
    "edited": lambda folder: (folder / "3.json").write_bytes(
        (folder / "3.json").read_bytes().replace(b'"ada"', b'"eve"')
    ),
    "dropped": lambda folder: (folder / "3.json").unlink(),
    "exchanged": lambda folder: (folder / "3.json").write_bytes((folder / "2.json").read_bytes()),
    "emptied": lambda folder: (folder / "5.json").write_bytes(b""),
    "renumbered": lambda folder: (folder / "5.json").rename(folder / "6.json"),
    "doubled": lambda folder: (folder / "6.json").write_bytes((folder / "5.json").read_bytes()),
}


class TestIntegrity:
    def test_an_intact_log_is_verified_with_its_head(self, folder: Path, tmp_path: Path) -> None:
        log = EventLog(open_store(str(tmp_path)), SetClock())
        verification = log.verify("m")

        assert verification.problems == ()
        assert verification.events == 5
        assert verification.head == Anchor(number=5, digest=log.read("m")[-1].digest)
        assert log.verify("m", anchors=[verification.head]).problems == ()

    def test_a_log_of_no_events_is_intact(self, place: Place) -> None:
        verification = place.log().verify("m")

        assert (verification.events, verification.head, verification.problems) == (0, None, ())

    @pytest.mark.parametrize("how", TAMPERINGS)
    def test_what_was_tampered_with_is_neither_read_nor_continued(self, folder: Path, tmp_path: Path, how: str) -> None:
        TAMPERINGS[how](folder)
        log = EventLog(open_store(str(tmp_path)), SetClock())

        assert log.verify("m").problems
        with pytest.raises(IntegrityError, match="events/m/") as caught:
            log.read("m")
        assert caught.value.exit_code == 16
        assert "verify-log m" in caught.value.fix
        with pytest.raises(IntegrityError):
            write(log, logs.held(A))

    def test_verification_does_not_trust_what_this_process_has_read_before(self, folder: Path, tmp_path: Path) -> None:
        log = EventLog(open_store(str(tmp_path)), SetClock())
        assert log.verify("m").problems == ()
        log.read("m")
        TAMPERINGS["edited"](folder)

        assert log.verify("m").problems != ()

    def test_what_was_taken_off_the_end_is_found_by_an_anchor(self, folder: Path, tmp_path: Path) -> None:
        log = EventLog(open_store(str(tmp_path)), SetClock())
        head = log.verify("m").head
        assert head is not None
        (folder / "5.json").unlink()

        assert log.verify("m").problems == ()
        assert [problem.where for problem in log.verify("m", anchors=[head]).problems] == ["events/m/5.json"]

    @pytest.mark.parametrize("name", ["03.json", "3.json.bak", "three.json", "0.json", "-1.json", "fork/3.json"])
    def test_what_lies_beside_the_events_is_found(self, folder: Path, tmp_path: Path, name: str) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((folder / "3.json").read_bytes())
        log = EventLog(open_store(str(tmp_path)), SetClock())

        assert [problem.where for problem in log.verify("m").problems] == [f"events/m/{name}"]
        assert len(log.read("m")) == 5

    def test_a_number_far_away_is_a_finding_and_not_an_endless_search(self, folder: Path, tmp_path: Path) -> None:
        (folder / f"{10**17}.json").write_bytes((folder / "5.json").read_bytes())
        log = EventLog(open_store(str(tmp_path)), SetClock())

        assert "up to 99999999999999999 are missing" in log.verify("m").problems[0].what

    def test_a_very_spoilt_log_does_not_fill_the_screen(self, tmp_path: Path) -> None:
        events = logs.log_of(*[logs.held(A)] * 40)
        store = open_store(str(tmp_path))
        for number, raw in logs.objects_of([replace(event, actor=str(event.number)) for event in events]).items():
            store.create(f"events/m/{number}.json", raw)

        with pytest.raises(IntegrityError) as caught:
            EventLog(store, SetClock()).read("m")
        assert len(caught.value.problems) == 21
        assert str(caught.value.problems[-1]) == "and 19 more"

    def test_a_rivals_event_that_does_not_chain_stops_the_writer(self, folder: Path, tmp_path: Path) -> None:
        log = EventLog(open_store(str(tmp_path)), SetClock())
        log.read("m")
        forged = replace(log.read("m")[-1], number=6, previous="f" * 64)
        (folder / "6.json").write_bytes(canonical_json(forged.to_json()))

        with pytest.raises(IntegrityError, match=r"events/m/6\.json"):
            write(log, logs.held(A))


class TestClocks:
    def test_a_clock_that_ran_ahead_is_told_of_and_is_no_tampering(self, tmp_path: Path) -> None:
        clock = SetClock()
        log = EventLog(open_store(str(tmp_path)), clock)
        write(log, logs.held(A))
        clock.time += timedelta(days=30_000)
        write(log, logs.hold_released(A))
        clock.time = SetClock.time
        write(log, logs.held(A))

        assert [event.time[:4] for event in log.read("m")] == ["2026", "2108", "2108"]
        verification = log.verify("m")
        assert verification.problems == ()
        (warning,) = verification.warnings
        assert (warning.where, warning.name) == ("events/m/2.json", "clock")
        assert "2108-" in warning.what
        assert "2026-03-01" in warning.what

    @pytest.mark.parametrize("behind", [timedelta(0), timedelta(minutes=4), timedelta(days=-400)])
    def test_clocks_that_differ_a_little_or_an_old_log_are_not_mentioned(
        self, folder: Path, tmp_path: Path, behind: timedelta
    ) -> None:
        log = EventLog(open_store(str(tmp_path)), SetClock(time=SetClock.time - behind))

        assert log.verify("m").warnings == ()
