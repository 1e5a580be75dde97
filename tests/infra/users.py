"""People who ask an environment without a pause, whatever happens, and note who answered, and when."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

PAUSE = 0.04
PATIENCE = 60.0


@dataclass(frozen=True, kw_only=True)
class Said:
    """One answer; `release` and `failure` are empty where there is none."""

    asked: datetime
    answered: datetime
    release: str
    failure: str


@dataclass
class Users:
    url: str
    records: Sequence[Mapping[str, Any]]
    said: list[Said] = field(default_factory=list)

    @property
    def failures(self) -> list[str]:
        return [each.failure for each in self.said if each.failure]

    def shares(self, begin: datetime, end: datetime) -> Mapping[str, int]:
        """How often each release answered what was asked in that time."""
        return Counter(each.release for each in self.said if begin <= each.asked and each.answered < end)

    def once(self) -> Said:
        """Asks once."""
        connection = self._connection()
        try:
            return self._asked(connection, self.records[0])
        finally:
            connection.close()

    @contextmanager
    def asking(self) -> Iterator[Users]:
        ended = threading.Event()
        thread = threading.Thread(target=self._ask, args=(ended,))
        thread.start()
        try:
            yield self
        finally:
            ended.set()
            thread.join()

    def _ask(self, ended: threading.Event) -> None:
        connection = self._connection()
        number = 0
        while not ended.wait(PAUSE):
            self.said.append(self._asked(connection, self.records[number % len(self.records)]))
            number += 1
        connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        address = urlsplit(self.url)
        return http.client.HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE)

    def _asked(self, connection: http.client.HTTPConnection, record: Mapping[str, Any]) -> Said:
        asked, release = datetime.now(UTC), ""
        try:
            connection.request("POST", f"{urlsplit(self.url).path}/score", body=json.dumps([record]))
            answer = connection.getresponse()
            words = answer.read()[:200]
            release = answer.headers.get("X-Mlops-Release", "")
            failure = "" if answer.status == http.HTTPStatus.OK else f"{answer.status} {words!r}"
        except (OSError, http.client.HTTPException) as error:
            failure = repr(error)
            connection.close()
        return Said(asked=asked, answered=datetime.now(UTC), release=release, failure=failure)
