"""Users who score without a pause, for as long as a test needs them."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tests.scoring.serving import wait_until
from tests.scoring.tiny_models import binary


class Traffic:
    """Clients that score one request after the other; every second one makes a new connection for each.

    `served` counts the good answers by release, `failures` are the others in the order in which they came.
    """

    def __init__(self, url: str, *, clients: int, records: Sequence[Mapping[str, Any]] = ()) -> None:
        self.served: Counter[str] = Counter()
        self.failures: list[str] = []
        self._body = json.dumps(list(records) or binary().records[:2])
        self._lock = threading.Lock()
        self._host, _, path = url.removeprefix("http://").partition("/")
        self._path = f"/{path}/score"
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(bool(n % 2),)) for n in range(clients)]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, release: str, more: int = 50) -> None:
        """Returns once the release has answered so many more requests."""
        begin = self.served[release]
        wait_until(lambda: self.served[release] >= begin + more)

    def settle(self) -> int:
        """Returns once every client has been answered anew, with the number of failures until then."""
        begin = self.served.total()
        wait_until(lambda: self.served.total() >= begin + 10 * len(self._threads))
        return len(self.failures)

    def _ask(self, keep: bool) -> None:
        headers = {"content-type": "application/json", **({} if keep else {"connection": "close"})}
        connection = http.client.HTTPConnection(self._host, timeout=60)
        while not self._over.is_set():
            failure = release = ""
            try:
                connection.request("POST", self._path, self._body, headers)
                response = connection.getresponse()
                response.read()
                release = response.headers.get("x-mlops-release", "")
                failure = "" if response.status == 200 else str(response.status)
            except (OSError, http.client.HTTPException) as error:
                failure = type(error).__name__
                connection.close()
            with self._lock:
                if failure:
                    self.failures.append(failure)
                else:
                    self.served[release] += 1
        connection.close()
