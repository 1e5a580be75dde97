"""Talks to a live scoring service over HTTP, as its users do."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mlops_ci.adapters import load_generator
from mlops_ci.adapters.http_exchange import Exchange, Origin
from mlops_ci.adapters.inference import Senseless, infer_body, predictions_of_infer, predictions_of_score
from mlops_ci.core.load import LoadPlan, Traffic
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.errors import OutsideError
from mlops_ci.ports import PROBE, Answer, Reply

WORDS = 500
"""Of what the service says about an error, at most."""
JSON = {"content-type": "application/json"}


class HttpScoringClient:
    """Implements `ports.ScoringClient`; keeps its connections, so it is closed (or left) when it is done with.

    Its requests are marked as probes, unless it stands for a user.
    """

    def __init__(self, *, timeout: float = 30.0, probe: bool = True) -> None:
        self._probe = probe
        self._timeout = timeout
        self._exchanges: dict[str, Exchange] = {}

    def __enter__(self) -> HttpScoringClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for exchange in self._exchanges.values():
            exchange.close()
        self._exchanges.clear()

    def ask(
        self,
        url: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] = {},
        announced: int | None = None,
    ) -> Reply:
        if url not in self._exchanges:
            self._exchanges[url] = Exchange(Origin.of(url), timeout=self._timeout)
        return self._exchanges[url].ask(path, body=body, headers={**self._marks(), **headers}, announced=announced)

    def ready(self, url: str) -> bool:
        return self.ask(url, "/v2/health/ready").status == 200

    def metadata(self, url: str, model: str) -> Mapping[str, Any]:
        reply = self.ask(url, f"/v2/models/{model}")
        if reply.status != 200:
            raise OutsideError(f"there is no metadata of {model}: {reply.summary}", where=url)
        try:
            metadata = json.loads(reply.body)
        except ValueError as problem:
            raise OutsideError(f"the metadata of {model} are not JSON: {reply.summary}", where=url) from problem
        if not isinstance(metadata, dict):
            raise OutsideError(f"the metadata of {model} are not an object", where=url)
        return metadata

    def score(self, url: str, records: Sequence[Mapping[str, Any]], signature: Signature) -> Answer:
        body = _score_body(records)
        if isinstance(body, str):
            return Answer(predictions=None, release="", milliseconds=0.0, error=body)
        start = time.perf_counter()
        reply = self.ask(url, "/score", body=body, headers=JSON)
        milliseconds = (time.perf_counter() - start) * 1000
        return _answer(reply, milliseconds, lambda: predictions_of_score(reply, len(records), signature))

    def infer(
        self, url: str, model: str, records: Sequence[Mapping[str, Any]], signature: Signature, *, binary: bool
    ) -> Answer:
        try:
            body, headers = infer_body([_plain(record) for record in records], signature, binary=binary)
        except ValueError:
            return Answer(predictions=None, release="", milliseconds=0.0, error="JSON cannot say the rows")
        start = time.perf_counter()
        reply = self.ask(url, f"/v2/models/{model}/infer", body=body, headers=headers)
        milliseconds = (time.perf_counter() - start) * 1000
        return _answer(reply, milliseconds, lambda: predictions_of_infer(reply, len(records), signature, binary=binary))

    def load(
        self,
        url: str,
        plan: LoadPlan,
        records: Sequence[Mapping[str, Any]],
        signature: Signature,
        judge: Callable[[int, Answer], str],
    ) -> Traffic:
        bodies: list[bytes] = []
        for record in records:
            body = _score_body([record])
            if isinstance(body, str):
                raise ValueError(body)
            bodies.append(body)
        if not bodies:
            raise ValueError("a load needs records to send")

        def send(exchange: Exchange, number: int) -> Reply:
            headers = {**JSON, **self._marks()}
            return exchange.ask("/score", body=bodies[number % len(bodies)], headers=headers, watched=False)

        def named(number: int, reply: Reply) -> str:
            answer = _answer(reply, 0.0, lambda: predictions_of_score(reply, 1, signature))
            return judge(number % len(bodies), answer)

        return load_generator.generate(Origin.of(url), plan, send, named)

    def _marks(self) -> dict[str, str]:
        return {"x-request-id": f"{PROBE}{secrets.token_hex(8)}"} if self._probe else {}


def _score_body(records: Sequence[Mapping[str, Any]]) -> bytes | str:
    """The body of POST /score; a text that says why where there can be none, such as for an infinity."""
    try:
        return json.dumps([_plain(record) for record in records], allow_nan=False, ensure_ascii=False).encode()
    except ValueError:  # its own words repeat the value
        return "JSON cannot say the rows: a number is infinite, or a text holds half of a character"


def _answer(reply: Reply, milliseconds: float, read: Callable[[], Predictions]) -> Answer:
    release = reply.headers.get("x-mlops-release", "")
    predictions, error, words = None, "", ""
    if reply.status == 200:
        try:
            predictions = read()
        except Senseless as problem:
            error = f"an answer that makes no sense: {problem}"
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as problem:
            # named only: the words of these repeat what was answered
            error = f"an answer that makes no sense: {reply.summary if reply.is_html else type(problem).__name__}"
    else:
        error = reply.summary + _rows(reply.body)
        words = reply.body[:WORDS].decode(errors="replace")
    return Answer(predictions=predictions, release=release, milliseconds=milliseconds, error=error, words=words)


def _rows(body: bytes) -> str:
    """Which records a refusal names, as far as those are numbers: its words are the service's own."""
    try:
        problems = json.loads(body)["problems"]
        rows = sorted({problem["row"] for problem in problems if type(problem["row"]) is int})
    except (LookupError, TypeError, ValueError, RecursionError):
        return ""
    return f", for rows {', '.join(map(str, rows[:5]))} of those sent" if rows else ""


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record as JSON can say it: NaN, the mark of a missing number, is null there."""
    values = {name: value.item() if isinstance(value, np.generic) else value for name, value in record.items()}
    return {name: None if isinstance(value, float) and np.isnan(value) else value for name, value in values.items()}
