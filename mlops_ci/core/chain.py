"""The proof that a log is as it was written: numbers without a gap, canonical bytes, each naming the one before it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlops_ci.core.digest import canonical_json, sha256
from mlops_ci.core.event_signatures import Key, signature_fault
from mlops_ci.core.events import KINDS, NO_EVENT, Event
from mlops_ci.core.layout import event_path, is_digest
from mlops_ci.core.shape import misfits
from mlops_ci.core.subjects import subject_misfits
from mlops_ci.errors import Problem

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_TRAILER = re.compile(r"^Mlops-Log: (?:(\S+) )?([1-9][0-9]{0,17}) ([0-9a-f]{64})\s*$", re.MULTILINE)
_RESTORE = "restore the object from a backup or an older version of the bucket; the log is never mended in place"


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """An event's number and digest, kept elsewhere (such as in a Git commit): proof of the whole log up to it."""

    number: int
    digest: str

    def trailer(self, model: str) -> str:
        """The line that carries this anchor in a commit message."""
        return f"Mlops-Log: {model} {self.number} {self.digest}"


@dataclass(frozen=True, kw_only=True)
class Chain:
    """What a reading of the log found: `events` in order as far as they could be read, the last one, what is wrong."""

    events: tuple[Event, ...]
    head: Anchor
    problems: tuple[Problem, ...]


def anchors_in(text: str, model: str) -> list[Anchor]:
    """The anchors of the model's log that commit messages carry as trailers, in the order in which they stand.

    Trailers of the first versions name no model; they count for the model whose file their commit touches.

    >>> anchors_in("Promote 3f2c\\n\\nMlops-Log: late 2 " + "a" * 64, "late")[0].number
    2
    """
    found = _TRAILER.findall(text)
    return [Anchor(number=int(number), digest=digest) for name, number, digest in found if name in {"", model}]


def read_chain(
    model: str,
    objects: Mapping[int, bytes],
    *,
    after: Event | None = None,
    anchors: Sequence[Anchor] = (),
    key: Key | None = None,
) -> Chain:
    """Reads the events that follow `after` (None: all of the log) and finds everything that is not as it was written.

    `objects` holds the bytes of each event by its number. Without an anchor the newest event is only as good as its
    store: nothing in the log says what it was, nor that there were more. With a `key` every event from the first signed
    one on has to be signed by it.
    """
    first = after.number + 1 if after else 1
    link = after.digest if after else NO_EVENT
    digests = {first - 1: link}
    numbers = {link: first - 1}
    last, time = first - 1, after.time if after else ""
    signed = after is not None and after.signature is not None
    events: list[Event] = []
    problems: list[Problem] = []

    for number in sorted(number for number in objects if number >= first):
        if number > last + 1:
            problems.append(_gap(model, last + 1, number - 1))
        event, faults = _read_event(model, number, objects[number])
        if event is not None:
            if number == last + 1 and event.previous != digests[last]:
                faults.append(_wrong_link(event, numbers.get(event.previous)))
            if event.time < time:
                faults.append(f"its time {event.time} is earlier than {time} of an event before it")
            if key is not None and (fault := signature_fault(event, key, required=signed)):
                faults.append(fault)
            signed = signed or event.signature is not None
            events.append(event)
            time = max(time, event.time)
        if faults:
            problems += [Problem(where=event_path(model, number), what=fault, fix=_RESTORE) for fault in faults]
        last, digests[number] = number, sha256(objects[number])
        numbers.setdefault(digests[number], number)

    problems += _against(anchors, digests, model)
    return Chain(events=tuple(events), head=Anchor(number=last, digest=digests[last]), problems=tuple(problems))


def _read_event(model: str, number: int, raw: bytes) -> tuple[Event | None, list[str]]:
    """The event, unless the bytes hold none, and what is wrong with it taken by itself."""
    try:
        value: Any = json.loads(raw.decode())
        canonical = canonical_json(value)
    except (ValueError, RecursionError) as error:
        return None, [f"is not JSON ({str(error)[:100]})"]
    if not isinstance(value, dict):
        return None, ["is not a JSON object"]
    if isinstance(value.get("kind"), str) and value["kind"] not in KINDS:
        return None, [
            f"is of the kind {value['kind'][:80]!r}, unknown to this mlops-ci; a newer one may have written it"
        ]
    faults = misfits(value, Event)
    if faults:
        return None, faults
    event = Event.from_json(value)
    faults = subject_misfits(event.kind, event.subject)
    if faults:
        return None, faults
    if raw != canonical:
        faults.append("is not in the one spelling that mlops-ci writes: somebody has edited it")
    if event.signature is None and "signature" in value:
        faults.append("has an empty signature, which mlops-ci never writes")
    if event.number != number:
        faults.append(f"calls itself event {event.number}: it was moved, copied or renumbered")
    if event.model != model:
        faults.append(f"belongs to the model {event.model[:80]!r}")
    if not _is_time(event.time):
        faults.append(f"has the time {event.time[:80]!r}, which is not UTC with microseconds")
    if not (is_digest(event.previous) and all(is_digest(digest) for digest in event.evidence)):
        faults.append("names something as a digest that is none")
    return event, faults


def _is_time(text: str) -> bool:
    try:
        return _TIME.fullmatch(text) is not None and bool(datetime.fromisoformat(text))
    except ValueError:  # the 39th of a month
        return False


def _gap(model: str, first: int, last: int) -> Problem:
    what = "is missing" if first == last else f"and all events up to {last} are missing"
    return Problem(where=event_path(model, first), what=f"{what}, and later events are there", fix=_RESTORE)


def _wrong_link(event: Event, follows: int | None) -> str:
    before = event.number - 1
    if follows is None:
        return f"does not follow event {before}: one of the two was edited or exchanged after it was written"
    name = f"event {follows}" if follows else "the beginning"
    return f"follows {name} and not event {before}: the log forks here, or an event was dropped, inserted or moved"


def _against(anchors: Sequence[Anchor], digests: Mapping[int, str], model: str) -> list[Problem]:
    """What contradicts the anchors, but for those before the part of the log that was read."""
    problems = []
    for anchor in anchors:
        found = digests.get(anchor.number)
        if anchor.number < min(digests) or found == anchor.digest:
            continue
        if found is None:
            what = f"is missing: an anchor from outside the log names it ({anchor.digest})"
        else:
            what = f"has the digest {found}, but an anchor from outside the log says {anchor.digest}: it was rewritten"
        problems.append(Problem(where=event_path(model, anchor.number), what=what, fix=_RESTORE))
    return problems
