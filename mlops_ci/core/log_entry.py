"""One line of a prediction log, as those read it who did not write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Record = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class LogEntry:
    """A request that was kept, or the note that `dropped` of them are missing here.

    `time` is in UTC. `sample` is the share of requests that the log keeps. `redacted` names the columns that are left
    out of the `records`. One answer a record.
    """

    time: datetime
    release: str
    sample: float = 1.0
    request_id: str = ""
    redacted: tuple[str, ...] = ()
    records: Sequence[Record] = ()
    answers: Sequence[Record] = ()
    dropped: int = 0

    @classmethod
    def from_json(cls, value: Any) -> LogEntry:
        """Raises ValueError where the value is no line of a prediction log."""
        if not isinstance(value, dict):
            raise ValueError("a line of a prediction log is an object")
        time, *texts = (value.get("time"), value.get("release"), value.get("request_id", ""))
        lists = [value.get(key, []) for key in ("records", "answers")]
        sample, dropped, redacted = value.get("sample", 1.0), value.get("dropped", 0), value.get("redacted", [])
        if not (
            all(isinstance(text, str) for text in (time, *texts))
            and all(isinstance(each, list) and all(isinstance(one, dict) for one in each) for each in lists)
            and len(lists[0]) == len(lists[1])
            and isinstance(redacted, list)
            and all(isinstance(name, str) for name in redacted)
            and isinstance(sample, float | int)
            and 0 <= sample <= 1
            and isinstance(dropped, int)
            and dropped >= 0
        ):
            raise ValueError("this is no line of a prediction log")
        moment = datetime.fromisoformat(str(time))
        if moment.tzinfo is None:
            raise ValueError(f"{time} is no moment: it says nothing of its time zone")
        return cls(
            time=moment.astimezone(UTC),
            release=value["release"],
            sample=float(sample),
            request_id=value.get("request_id", ""),
            redacted=tuple(redacted),
            records=lists[0],
            answers=lists[1],
            dropped=dropped,
        )
