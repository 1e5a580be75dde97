"""An eventful log, and the records of the releases that it is about."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.adapters.object_store import open_store
from mlops_ci.core.records import Release
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import ObjectStore
from tests import logs
from tests.logs import Entry, log_of, objects_of


def release(version: int) -> Release:
    """The release that `logs.registered` describes."""
    lock = sha256(f"lock {version}".encode()).hexdigest()
    golden = sha256(f"golden {version}".encode()).hexdigest()
    return Release(
        model="m", version=version, lock=lock, commit=f"c{version}", files={}, image=None, evidence={"golden": golden}
    )


ONE, TWO, THREE = (release(version).id for version in (1, 2, 3))
GOLDEN = [release(version).evidence["golden"] for version in (1, 2, 3)]

HISTORY = (
    logs.registered(ONE, 1, "first", pull_request=11),  # 1
    logs.deployed(ONE),
    logs.verified(ONE),
    logs.opened(ONE, 21),
    logs.approved(ONE, ["ada"], 21),  # 5
    logs.step(ONE, 100),
    logs.promoted(ONE),  # 7: version 1
    logs.registered(TWO, 2, "superior", pull_request=12),
    logs.deployed(TWO, previous=ONE),
    logs.verified(TWO),  # 10
    logs.opened(TWO, 22),
    logs.approved(TWO, ["bob", "cleo"], 22),
    logs.step(TWO, 10),
    logs.promoted(TWO, previous=ONE),  # 14: version 2
    logs.rolled_back(ONE, TWO, "twice the errors"),  # 15: version 1 again
    logs.hold_released(TWO),
    logs.promoted(TWO, previous=ONE),  # 17: version 2, by a changed policy that asks nobody
)


def evidence(*numbers: int) -> tuple[str, ...]:
    return tuple(sha256(f"evidence {number}".encode()).hexdigest() for number in numbers)


def store_of_releases(folder: Path) -> ObjectStore:
    store = open_store(str(folder))
    for version in (1, 2, 3):
        Registry(store).save_release(release(version))
    return store


def write(store: ObjectStore, *entries: Entry) -> EventLog:
    for number, raw in objects_of(log_of(*entries)).items():
        store.create(f"events/m/{number}.json", raw)
    return EventLog(store, SystemClock())
