"""What the scoring service answers to a request: paths, status codes and bodies, but no sockets and no event loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from mlops_ci import __version__
from mlops_ci.core.columns import records_from_columns
from mlops_ci.core.predictions import Predictions
from mlops_ci.scoring import protocol
from mlops_ci.scoring.model import OnnxModel
from mlops_ci.scoring.prediction_log import PredictionLog
from mlops_ci.scoring.rows import (
    BadRows,
    answers_from_predictions,
    columns_from_records,
    json_type,
    require_finite,
)

MAX_ROWS = 100_000


@dataclass(frozen=True, kw_only=True)
class Request:
    """`headers` are by lower-case name; `id` is the client's own or one made up for it."""

    method: str
    path: str
    headers: Mapping[str, str]
    id: str
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Response:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A request that gets an error as its answer."""

    def __init__(self, status: int, error: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(error)
        self.response = answer({"error": error, **more}, status=status, headers=headers or {})


def answer(content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status=status, body=orjson.dumps(content), headers=headers or {})


class ScoringService:
    """One release of one model. `ready` turns false when the service is about to end."""

    def __init__(
        self,
        model: OnnxModel,
        *,
        name: str,
        version: int,
        release: str,
        log: PredictionLog | None = None,
        max_rows: int = MAX_ROWS,
    ) -> None:
        self.release = release
        self.ready = True
        self._model = model
        self._name = name
        self._version = version
        self._log = log
        self._max_rows = max_rows
        self._metadata = protocol.model_metadata(name, version, release, model.signature)

    def respond(self, request: Request) -> Response:
        """The answer to any request; what is wrong with a request is said in the answer and never raised."""
        try:
            method, handle = self._route(request.path)
            if request.method != method and (method, request.method) != ("GET", "HEAD"):
                raise Refused(405, f"{request.path} takes {method}", headers={"allow": method})
            return handle(request)
        except Refused as refused:
            return refused.response
        except protocol.BadRequest as error:
            return Refused(400, str(error)).response
        except BadRows as error:
            problems = [asdict(problem) for problem in error.problems]
            return Refused(422, str(error), problems=problems, problems_total=error.total).response

    def _route(self, path: str) -> tuple[str, Callable[[Request], Response]]:
        match path.strip("/").split("/"):
            case ["score"]:
                return "POST", self._score
            case ["v2"]:
                return "GET", lambda _: answer(protocol.server_metadata(__version__))
            case ["v2", "health", "live"]:
                return "GET", lambda _: answer({"live": True})
            case ["v2", "health", "ready"]:
                return "GET", lambda _: self._readiness({"ready": self.ready})
            case ["v2", "models", model, *rest]:
                return self._model_route(model, rest)
        raise Refused(404, f"there is nothing at {path}")

    def _model_route(self, model: str, rest: Sequence[str]) -> tuple[str, Callable[[Request], Response]]:
        if model != self._name:
            raise Refused(404, f"there is no model {model} here, only {self._name}")
        match rest:
            case ["versions", version, *rest]:
                if version != str(self._version):
                    raise Refused(404, f"there is no version {version} of {model} here, only {self._version}")
        match rest:
            case []:
                return "GET", lambda _: answer(self._metadata)
            case ["ready"]:
                return "GET", lambda _: self._readiness({"name": self._name, "ready": self.ready})
            case ["infer"]:
                return "POST", self._infer
        raise Refused(404, f"there is nothing at /{'/'.join(rest)} of a model")

    def _readiness(self, content: Mapping[str, Any]) -> Response:
        return answer(content, status=200 if self.ready else 503)

    def _score(self, request: Request) -> Response:
        records = _records(_json(request))
        self._limit(len(records))
        columns = columns_from_records(records, self._model.signature)
        answers = answers_from_predictions(self._predict(columns), self._model.signature)
        self._record(request.id, len(records), lambda: (records, answers))
        served = {"model": self._name, "version": self._version, "release": self.release, "request_id": request.id}
        return answer({**served, "predictions": answers})

    def _infer(self, request: Request) -> Response:
        if "inference-header-content-length" in request.headers:
            raise Refused(400, "the binary tensor extension is not supported; send the tensors as JSON")
        signature = self._model.signature
        asked = protocol.read_request(_json(request), signature)
        self._limit(asked.rows)
        predictions = self._predict(asked.columns)

        def content() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
            return records_from_columns(asked.columns), answers_from_predictions(predictions, signature)

        self._record(request.id, asked.rows, content)
        return answer(
            protocol.response(
                asked,
                predictions,
                signature,
                model=self._name,
                version=self._version,
                request_id=asked.id or request.id,
            )
        )

    def _limit(self, rows: int) -> None:
        if rows > self._max_rows:
            raise Refused(413, f"{rows} rows in one request; at most {self._max_rows} are taken")

    def _predict(self, columns: Mapping[str, Any]) -> Predictions:
        try:
            predictions = self._model.predict(columns)
        except ValueError as error:
            raise Refused(422, str(error)) from error
        require_finite(predictions)
        return predictions

    def _record(self, request_id: str, rows: int, content: Callable[[], Any]) -> None:
        if self._log is not None and rows:
            self._log.add(request_id, rows, content)


def _json(request: Request) -> Any:
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, f"the content type has to be application/json, not {kind}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "a compressed body is not taken")
    try:
        return orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"the body is not JSON: {error}") from error


def _records(body: Any) -> list[Any]:
    """The list of records in the body of POST /score, which is the list or an object with only that."""
    if isinstance(body, dict) and body.keys() == {"records"}:
        body = body["records"]
    if not isinstance(body, list):
        found = f"an object with {sorted(body)[:5]}" if isinstance(body, dict) else json_type(body)
        raise Refused(422, f'the body has to be a list of records, or {{"records": [...]}}, not {found}')
    return body
