"""Processes that write at once, lose replies, are killed or cut off: one chain without a gap, nothing written twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from select import select

import pytest

from mlops_ci.errors import OutsideError
from tests import azurite, faulty_proxy, logs
from tests.azurite import Azurite
from tests.faulty_proxy import Fault, FaultyProxy
from tests.logs import A
from tests.s3 import S3Server
from tests.stores import Place

ROOT = Path(__file__).parents[2]
WRITERS, COUNT = 4, 10

BEGIN = """
import json, sys
from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.object_store import open_store
from mlops_ci.pipeline.event_log import EventLog, NewEvent
from mlops_ci.pipeline.registry import Registry
url, options, writer, count = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3], int(sys.argv[4])
store = open_store(url, options=options)
log = EventLog(store, SystemClock())
print("ready", flush=True)
sys.stdin.readline()
"""
APPENDS = f"""{BEGIN}
def build(state):
    subject = {{"environment": "qa", "release": f"{{writer}}-{{n}}", "reason": f"after {{state.events}}"}}
    return NewEvent(kind="held", subject=subject, actor=writer)
for n in range(count):
    log.append("m", build)
    print(n, flush=True)
"""
CLAIMS = f"""{BEGIN}
for n in range(count):
    shared, own = f"{{n:064x}}", f"a{{writer}}{{n:062x}}"
    print(Registry(store).claim_version("m", lock=shared, commit="c"), flush=True)
    print(Registry(store).claim_version("m", lock=own, commit="c"), flush=True)
"""


@dataclass(frozen=True, kw_only=True)
class Field:
    """Where a race takes place. The writers see the store through the proxy, where it is one behind a network."""

    judge: Place
    writers: Place
    proxy: FaultyProxy | None


@pytest.fixture(params=["local", "s3", "azure"])
def field(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Field]:
    if request.param == "local":
        place = Place(url=str(tmp_path / "store"), options={})
        yield Field(judge=place, writers=place, proxy=None)
    elif request.param == "s3":
        s3: S3Server = request.getfixturevalue("s3")
        url = s3.new_bucket()
        with faulty_proxy.before(s3.endpoint) as proxy:
            behind = Place(url=url, options={**s3.options, "AWS_ENDPOINT_URL": proxy.url})
            yield Field(judge=Place(url=url, options=s3.options), writers=behind, proxy=proxy)
    else:
        azure: Azurite = request.getfixturevalue("azurite")
        url = azure.new_container()
        with faulty_proxy.before(azure.endpoint) as proxy:
            behind = Place(url=url, options=azurite.options(proxy.url))
            yield Field(judge=Place(url=url, options=azure.options), writers=behind, proxy=proxy)


class Racers:
    """Processes that have started, and begin at the same moment."""

    def __init__(self, script: str, place: Place, count: int) -> None:
        command = [sys.executable, "-c", script, place.url, json.dumps(dict(place.options))]
        self.processes = [
            subprocess.Popen(
                [*command, str(writer), str(count)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for writer in range(WRITERS)
        ]
        for one in self.processes:
            assert self.line(one) == "ready"

    def __enter__(self) -> Racers:
        for one in self.processes:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as stack:
            for one in self.processes:
                stack.enter_context(one)
                one.kill()

    def line(self, one: subprocess.Popen[str]) -> str:
        assert one.stdout is not None
        return one.stdout.readline().strip()

    def finish(self) -> list[list[str]]:
        """What each has said, after all have ended well."""
        said = [one.communicate(timeout=120)[0].split() for one in self.processes]
        assert [one.returncode for one in self.processes] == [0] * WRITERS
        return said


def expect_one_chain(place: Place, counts: Sequence[range]) -> None:
    """Intact, each writer's events in its own order and none twice; how many each may have written."""
    verification = place.log().verify("m")
    events = place.log().read("m")
    assert verification.problems == ()
    assert verification.events == len(events)
    assert [event.subject["reason"] for event in events] == [f"after {event.number - 1}" for event in events]
    for writer, allowed in enumerate(counts):
        own = [event.subject["release"] for event in events if event.actor == str(writer)]
        assert own == [f"{writer}-{number}" for number in range(len(own))]
        assert len(own) in allowed


def test_writers_make_one_chain_and_write_nothing_twice_where_replies_are_lost(field: Field) -> None:
    if field.proxy is not None:
        # By chance and not in turns: writers that keep in step would leave one of them all the faults.
        faults: Sequence[Fault] = ("lose", "drop", "cut", *[""] * 12)
        chance = Random(7)
        field.proxy.fault_of = lambda: chance.choice(faults)
    with Racers(APPENDS, field.writers, COUNT) as racers:
        racers.finish()

    expect_one_chain(field.judge, [range(COUNT, COUNT + 1)] * WRITERS)


def test_killed_writers_leave_whole_events_and_others_go_on(field: Field) -> None:
    with Racers(APPENDS, field.writers, 10_000) as racers:
        alive = {one.stdout: one for one in racers.processes}
        while alive:  # whoever has written its first event is killed, at whatever it is doing by then
            for stdout in select(list(alive), [], [], 60)[0]:
                alive.pop(stdout).kill()

    expect_one_chain(field.judge, [range(1, 10_000)] * WRITERS)
    before = len(field.judge.log().read("m"))
    event = field.judge.log().record("m", *logs.held(A), actor="later")
    assert event.number == before + 1
    assert field.judge.log().verify("m").problems == ()


def test_versions_are_claimed_once(field: Field) -> None:
    with Racers(CLAIMS, field.writers, 3) as racers:
        said = [[int(word) for word in words] for words in racers.finish()]

    assert all(words[::2] == said[0][::2] for words in said), "one lock has one number, whoever claims it"
    own = [number for words in said for number in words[1::2]]
    assert sorted([*own, *said[0][::2]]) == list(range(1, 3 * WRITERS + 3 + 1))
    assert len(field.judge.registry().versions("m")) == 3 * WRITERS + 3


@pytest.mark.parametrize("field", ["s3", "azure"], indirect=True)
def test_a_lost_connection_ends_an_append_by_name_and_the_next_one_goes_on(field: Field) -> None:
    assert field.proxy is not None
    log = field.writers.log()
    log.record("m", *logs.held(A), actor="ada")
    field.proxy.fault_of = lambda: "refuse"
    with pytest.raises(OutsideError, match=r"cannot write events/m/2\.json"):
        log.record("m", *logs.held(A), actor="ada")
    assert len(field.judge.log().read("m")) == 1

    field.proxy.fail()
    assert log.record("m", *logs.hold_released(A), actor="ada").number == 2
    assert field.judge.log().read("m") == log.read("m")
    assert field.judge.log().verify("m").problems == ()


FULL = f"""{BEGIN}
import os
from pathlib import Path
from mlops_ci.errors import OutsideError
def hold():
    return log.record("m", "held", {{"environment": "qa", "release": "r", "reason": "x" * 5000}}, actor="ada").number
print(hold(), flush=True)
filler = os.open(Path(url).parent / "filler", os.O_CREAT | os.O_WRONLY)
try:
    while True:
        os.write(filler, b"x" * 512)
except OSError:
    pass
try:
    hold()
except OutsideError as error:
    print(error.what.rpartition(": ")[2], flush=True)
print(len(log.read("m")), len(list((Path(url) / ".partial").iterdir())), flush=True)
os.truncate(filler, 0)
print(hold(), log.verify("m").problems, flush=True)
"""


def test_a_full_disk_ends_an_append_by_name_and_the_next_one_goes_on(tmp_path: Path) -> None:
    """A disk of 64 kB in a name space of its own, which ends with the process."""
    disk = 'mount -t tmpfs -o size=64k disk "$0" && exec "$@"'
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", disk, str(tmp_path)]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let tests mount a file system in a name space of their own")
    python = [sys.executable, "-c", FULL, str(tmp_path / "store"), "{}", "0", "0"]
    ran = subprocess.run([*command, *python], cwd=ROOT, input="go\n", capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["ready", "1", "No space left on device", "1 0", "2 ()"]
