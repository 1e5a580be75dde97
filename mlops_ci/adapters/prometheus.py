"""Asks a Prometheus server for the counts of live requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode

from mlops_ci.adapters.http_exchange import Exchange, Origin
from mlops_ci.core.kubernetes_names import Names
from mlops_ci.core.kubernetes_route import Serving
from mlops_ci.core.prometheus_counts import Key, Question, counts, questions, samples
from mlops_ci.core.traffic import LiveCounts
from mlops_ci.errors import OutsideError
from mlops_ci.ports import Clock

SECONDS = 30.0


class Prometheus:
    """`url` is the server's, with the path below which its API lies where there is one."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._url = url
        self._clock = clock

    def counts(self, names: Names, serving: Serving) -> Mapping[str, LiveCounts]:
        """By release, since the latest of them was started. Raises OutsideError where Prometheus does not say."""
        if not serving.releases:
            return {}
        since = datetime.fromisoformat(serving.since).timestamp()
        asked = questions(names.path, since=since, now=self._clock.now().timestamp())
        answers = {name: (self._ask(then), self._ask(now)) for name, (then, now) in asked.items()}
        return counts(answers, tuple(serving.releases), counter=serving.since)

    def _ask(self, question: Question) -> Mapping[Key, float]:
        exchange = Exchange(Origin.of(self._url), timeout=SECONDS)
        try:
            query = urlencode({"query": question.query, "time": f"{question.time:.3f}"})
            reply = exchange.ask(f"/api/v1/query?{query}")
        finally:
            exchange.close()
        try:
            answer = json.loads(reply.body or b"null")
            return samples(answer)
        except ValueError as error:
            why = reply.summary if reply.status != 200 else str(error)
            raise OutsideError(f"Prometheus does not say how many requests came: {why}", where=self._url) from error
