"""What an auditor takes along: what served when, on whose word and evidence, and the proof that nobody edited it.

The members depend on nothing but the store, Git and the range asked for, so that the same question has the same answer.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any

from mlops_ci.core.chain import Anchor
from mlops_ci.core.digest import canonical_json, sha256
from mlops_ci.core.events import Event, timestamp
from mlops_ci.core.layout import is_digest
from mlops_ci.core.records import Release
from mlops_ci.core.served import Served
from mlops_ci.core.state import Folding
from mlops_ci.errors import IntegrityError, NotFoundError
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.why import Why, explain

Member = tuple[str, bytes]

_SHOWN = ("evaluation", "parity", "lock", "build", "image", "sbom", "provenance")
"""What a release names as evidence that holds no row of data, nor any value of a private column."""
_WITHHELD = {
    "golden": "rows of data with the model's answers",
    "probes": "rows that were made of rows of data",
    "profile": "the distribution of each column, in values of the data",
    "answers": "the answers that were judged, with the truth and the columns of slices",
}
_OF_EVENTS: tuple[frozenset[str], ...] = (
    frozenset({"release", "url", "ok", "checks"}),  # a verification
    frozenset({"verdict", "gate", "ships"}),  # an evaluation
    frozenset({"offenders", "kinds", "max_abs_diff"}),  # parity
    frozenset({"stable", "state", "counted"}),  # how far a rollout had come
    frozenset({"release", "result"}),  # what monitoring found
)
"""The keys by which the evidence of events is known that holds no row of data."""


@dataclass(frozen=True, kw_only=True)
class GitAnchor:
    """An anchor of the log, and the commit that carries it."""

    commit: str
    anchor: Anchor


@dataclass(frozen=True, kw_only=True)
class Audit:
    """The range asked for ("" for open ends), and what there is in it; `members` are the archive's files in order.

    `withheld` maps the digest of evidence that is left out to what it is.
    """

    model: str
    since: str
    until: str
    events: int
    head: Anchor
    anchors: Sequence[GitAnchor]
    services: Sequence[Why]
    releases: Sequence[Release]
    evidence: Sequence[str]
    withheld: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "from": self.since or None,
            "to": self.until or None,
            "events": self.events,
            "head": {"number": self.head.number, "digest": self.head.digest},
            "anchors": len(self.anchors),
            "services": len(self.services),
            "releases": len(self.releases),
            "evidence": len(self.evidence),
            "withheld": [{"digest": digest, "what": what} for digest, what in self.withheld.items()],
        }


def audit(
    log: EventLog,
    registry: Registry,
    model: str,
    *,
    anchors: Sequence[GitAnchor],
    since: datetime | None = None,
    until: datetime | None = None,
    with_data: bool = False,
) -> Audit:
    """What served between the two moments, and everything that it rested on; `with_data` leaves no evidence out.

    Raises NotFoundError where the model has no log, IntegrityError where the log is not as it was written.
    """
    verification = log.verify(model, anchors=[one.anchor for one in anchors])
    if verification.problems:
        raise IntegrityError(
            f"the event log of {model} is not as it was written, and no proof can be made of it",
            fix=f"see `mlops-ci verify-log {model}`",
            problems=verification.problems,
        )
    events = log.read(model)
    if not events:
        raise NotFoundError(
            f"nothing has happened to {model} yet: there is no log", fix="mlops-ci history lists models'"
        )
    first, last = timestamp(since) if since else "", timestamp(until) if until else ""
    services = [one for one in _services(events, registry, model) if _overlaps(one, first, last)]
    names = [one.release for one in services]
    names += [str(event.subject.get("release")) for event in events if _within(event.time, first, last)]
    releases = [_release(registry, name) for name in dict.fromkeys(names) if is_digest(name)]
    called = {digest: name for release in releases for name, digest in release.evidence.items()}
    called |= dict.fromkeys(_answers(called, registry), "answers")
    named = {*called, *(digest for one in services for digest in one.evidence)}
    named |= {digest for event in events if _within(event.time, first, last) for digest in event.evidence}
    withheld = {} if with_data else _withheld(sorted(named), called, registry)
    return Audit(
        model=model, since=first, until=last, events=len(events),
        head=Anchor(number=events[-1].number, digest=events[-1].digest),
        anchors=sorted(anchors, key=lambda one: (one.anchor.number, one.commit)), services=services, releases=releases,
        evidence=sorted(digest for digest in named if digest not in withheld), withheld=withheld,
    )  # fmt: skip


def members(found: Audit, log: EventLog, registry: Registry) -> Iterator[Member]:
    """The files of the archive, one after the other; the last one has the digests of all others."""
    digests = []
    for name, data in _contents(found, log, registry):
        digests.append(f"{sha256(data)}  {name}\n")
        yield name, data
    yield "MANIFEST.sha256", "".join(sorted(digests, key=lambda line: line[66:])).encode()


def _contents(found: Audit, log: EventLog, registry: Registry) -> Iterator[Member]:
    between = f"between {found.since or 'the beginning'} and {found.until or 'the newest event'}"
    part = f"\nThe tables, releases and evidence are of what happened or served {between}.\n"
    text = files("mlops_ci.resources").joinpath("audit.txt").read_text(encoding="utf-8")
    shown = text.replace("{model}", found.model).replace("{range}", part if found.since or found.until else "")
    yield "README.txt", shown.encode()
    yield "serving.csv", _table(_ROW, (_row(one) for one in found.services))
    yield "services.json", _pretty([one.to_json() for one in found.services])
    yield "events.jsonl", b"".join(event.raw for event in log.read(found.model)[: found.events])
    yield "head.txt", f"{found.head.number} {found.head.digest}\n".encode()
    anchors = ((one.anchor.number, one.anchor.digest, one.commit) for one in found.anchors)
    yield "anchors.csv", _table(("number", "digest", "commit"), anchors)
    for release in sorted(found.releases, key=lambda one: one.id):
        yield f"releases/{release.id}.json", canonical_json(release.to_json())
    for number in sorted({release.version for release in found.releases}):
        yield f"versions/{number}.json", canonical_json(registry.version(found.model, number).to_json())
    yield "withheld.csv", _table(("digest", "what"), sorted(found.withheld.items()))
    for digest in found.evidence:
        data = registry.get_blob(digest)
        yield f"evidence/{digest}{'.json' if _is_json(data) else ''}", data


def _services(events: Sequence[Event], registry: Registry, model: str) -> Iterator[Why]:
    """Everything that any environment has served, in the order in which it began to."""
    served, folding = Served(events), Folding()
    began = {event.number for there in served.began.values() for event in there}
    for event in events:
        folding.add(event)
        if event.number in began:
            yield explain(served, folding.state(), registry, model, event, event.time)


def _overlaps(one: Why, first: str, last: str) -> bool:
    return (not last or one.since <= last) and (one.until is None or one.until >= first)


def _within(time: str, first: str, last: str) -> bool:
    return first <= time and (not last or time <= last)


def _release(registry: Registry, name: str) -> Release:
    try:
        return registry.release(name)
    except NotFoundError as error:
        raise IntegrityError(f"the log names release {name}, and its record is gone", where=error.where) from error


def _answers(called: Mapping[str, str], registry: Registry) -> list[str]:
    """The blobs that evaluations name as what was judged."""
    evaluations = [registry.get_json(digest) for digest, name in called.items() if name == "evaluation"]
    answers = [value.get("answers") for value in evaluations if isinstance(value, dict)]
    return [str(digest) for digest in answers if is_digest(digest)]


def _withheld(named: Sequence[str], called: Mapping[str, str], registry: Registry) -> dict[str, str]:
    """What must not leave: all that is not known to hold no data. What a release calls it decides first."""
    found = {}
    for digest in named:
        name = called.get(digest)
        if name in _SHOWN:
            continue
        if name is not None:
            found[digest] = _WITHHELD.get(name, f"of a kind that this version does not know: {name}")
        elif not _known(registry.get_blob(digest)):
            found[digest] = "of a kind that this version does not know"
    return found


def _known(data: bytes) -> bool:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and any(keys <= value.keys() for keys in _OF_EVENTS)


def _is_json(data: bytes) -> bool:
    return data[:1] in (b"{", b"[")


_ROW = (
    *("environment", "from", "until", "version", "release", "how", "approved_by", "pull_request", "verdict"),
    *("commit", "image", "note"),
)


def _row(one: Why) -> tuple[Any, ...]:
    people = "; ".join(one.approved_by)
    return (
        one.environment, one.since, one.until, one.version, one.release, one.kind, people, one.pull_request,
        one.verdict, one.commit, one.image, one.note,
    )  # fmt: skip


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A CSV in which no cell is taken for a formula by the program that opens it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(["" if cell is None else _harmless(str(cell)) for cell in row] for row in rows)
    return text.getvalue().encode(errors="backslashreplace")


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _pretty(value: Any) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
