"""Talks to a live scoring service over HTTP, as its users do."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature
from mlops_ci.errors import OutsideError
from mlops_ci.ports import PROBE, Answer

if TYPE_CHECKING:
    import requests

CONNECT_SECONDS = 5.0
ERROR_LENGTH = 500


class HttpScoringClient:
    """Implements `ports.ScoringClient`; keeps its connections, so it is closed (or left) when it is done with.

    Its requests are marked as probes, unless it stands for a user.
    """

    def __init__(self, *, timeout: float = 30.0, probe: bool = True) -> None:
        import requests

        self._probe = probe
        self._timeout = (CONNECT_SECONDS, timeout)
        self._session = requests.Session()
        # neither a proxy nor credentials of the environment have a part in this
        self._session.trust_env = False

    def __enter__(self) -> HttpScoringClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._session.close()

    def ready(self, url: str) -> bool:
        response, _ = self._ask("GET", f"{url}/v2/health/ready")
        return response is not None and response.status_code == 200

    def metadata(self, url: str, model: str) -> Mapping[str, Any]:
        response, error = self._ask("GET", f"{url}/v2/models/{model}")
        if response is None or response.status_code != 200:
            raise OutsideError(f"there is no metadata of {model}: {error or _said(response)}", where=url)
        try:
            metadata = response.json()
        except ValueError as problem:
            raise OutsideError(f"the metadata of {model} are not JSON: {problem}", where=url) from problem
        if not isinstance(metadata, dict):
            raise OutsideError(f"the metadata of {model} are not an object", where=url)
        return metadata

    def score(self, url: str, records: Sequence[Mapping[str, Any]], signature: Signature) -> Answer:
        try:
            body = json.dumps([_plain(record) for record in records], allow_nan=False, ensure_ascii=False).encode()
        except ValueError as problem:  # an infinity, or half of a character
            return Answer(predictions=None, release="", milliseconds=0.0, error=f"JSON cannot say the rows: {problem}")
        start = time.perf_counter()
        response, error = self._ask("POST", f"{url}/score", body)
        milliseconds = (time.perf_counter() - start) * 1000
        if response is None:
            return Answer(predictions=None, release="", milliseconds=milliseconds, error=error)
        release = response.headers.get("x-mlops-release", "")
        predictions = None
        if response.status_code == 200:
            try:
                predictions = _predictions(response.json(), len(records), signature)
            except (KeyError, TypeError, ValueError) as problem:
                error = f"an answer that makes no sense: {problem!r}"
        else:
            error = _said(response)
        return Answer(predictions=predictions, release=release, milliseconds=milliseconds, error=error)

    def _ask(self, method: str, url: str, body: bytes | None = None) -> tuple[requests.Response | None, str]:
        import requests

        headers = {"content-type": "application/json"} if body is not None else {}
        if self._probe:
            headers["x-request-id"] = f"{PROBE}{secrets.token_hex(8)}"
        try:
            response = self._session.request(
                method, url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
            )
        except requests.RequestException as error:
            return None, f"{type(error).__name__}: {error}"[:ERROR_LENGTH]
        return response, ""


def _said(response: requests.Response | None) -> str:
    return "" if response is None else f"status {response.status_code}: {response.text[:ERROR_LENGTH]}"


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record as JSON can say it: NaN, the mark of a missing number, is null there."""
    values = {name: value.item() if isinstance(value, np.generic) else value for name, value in record.items()}
    return {name: None if isinstance(value, float) and np.isnan(value) else value for name, value in values.items()}


def _predictions(body: Any, rows: int, signature: Signature) -> Predictions:
    answers = body["predictions"]
    if len(answers) != rows:
        raise ValueError(f"{len(answers)} answers for {rows} records")
    if signature.task == "regression":
        return Predictions(values=np.array([answer["value"] for answer in answers], dtype=np.float64))
    kind = object if isinstance(signature.classes[0], str) else np.int64
    labels = [answer["label"] for answer in answers]
    unknown = sorted({repr(label) for label in labels if label not in signature.classes})
    if unknown:
        raise ValueError(f"labels that are not among the classes: {', '.join(unknown)}")
    probabilities = [[answer["probabilities"][str(name)] for name in signature.classes] for answer in answers]
    return Predictions(
        labels=np.array(labels, dtype=kind),
        probabilities=np.array(probabilities, dtype=np.float64).reshape(rows, len(signature.classes)),
    )
