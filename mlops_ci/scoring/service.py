"""What the scoring service answers to a request: paths, status codes and bodies, but no sockets and no event loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

import orjson

from mlops_ci import __version__
from mlops_ci.core.columns import records_from_columns
from mlops_ci.core.predictions import Predictions
from mlops_ci.scoring import protocol
from mlops_ci.scoring.base_path import bare_path, below
from mlops_ci.scoring.card import Card, read_card
from mlops_ci.scoring.feeds import Feeds, Reader, columns_of, feeds_of
from mlops_ci.scoring.messages import (
    BINARY,
    JSON,
    Refused,
    Request,
    Response,
    answer,
    parsed,
    require_media_type,
    wants_html,
)
from mlops_ci.scoring.model import OnnxModel
from mlops_ci.scoring.openapi import description
from mlops_ci.scoring.page import CONTENT_SECURITY, form_page, model_page
from mlops_ci.scoring.prediction_log import Content, PredictionLog
from mlops_ci.scoring.rows import BadRows, TooManyRows, answers_from_predictions, read_rows, require_finite
from mlops_ci.scoring.tensors import BadRequest

MAX_ROWS = 100_000
PROBE = "mlops-probe-"
"""How the ids of our own requests begin. What the router copies for a shadow is marked in the headers alone."""
HTML = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": CONTENT_SECURITY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


class Route(NamedTuple):
    method: str
    handle: Callable[[Request], Response]


class ScoringService:
    """One release of one model. `ready` turns false when the service is about to end.

    `model_digest` is of the graph as it was loaded, `build` of the `build.json` of the image; empty where unknown.
    Everything is answered below the `base_path` too.
    """

    def __init__(
        self,
        model: OnnxModel,
        *,
        name: str,
        version: int,
        release: str,
        card: Card | None = None,
        model_digest: str = "",
        build: str = "",
        log: PredictionLog | None = None,
        max_rows: int = MAX_ROWS,
        base_path: str = "",
    ) -> None:
        self.release = release
        self._prefixes = below(base_path, release)
        self._base_path = base_path
        self.ready = True
        self._model = model
        self._reader = Reader(model.signature)
        self._name = name
        self._version = version
        self._log = log
        self._max_rows = max_rows
        known = read_card(None, model.signature) if card is None else card
        self._metadata = protocol.model_metadata(
            name, version, release, model.signature, model_digest=model_digest, build=build
        )
        about = {"model": name, "version": version, "release": release, "task": model.signature.task}
        self._card = {**known.to_json(), **about}
        self.routes: dict[str, Route] = {}
        for path, route in self._table(known, about).items():
            self.add(path, route)

    def add(self, path: str, route: Route) -> None:
        """Answers at the path, and below every prefix of this service."""
        self.routes[path] = route
        for prefix in self._prefixes:
            self.routes.setdefault(f"{prefix}{path}".rstrip("/"), route)

    @property
    def info(self) -> dict[str, str]:
        """What is served, in a few words."""
        digest = self._metadata["properties"].get("model_digest", "")
        named = {"model": self._name, "version": str(self._version)}
        # environments that one Prometheus watches may serve the same release
        where = {"base_path": self._base_path} if self._base_path else {}
        return {**named, "release": self.release, "model_digest": digest, **where}

    def path_names(self) -> dict[str, str]:
        """What each path is called where it is counted: the same for all models and versions, below any prefix."""
        unversioned = f"/v2/models/{self._name}"
        versioned = f"{unversioned}/versions/{self._version}"
        names = {}
        for path in self.routes:
            bare = bare_path(path, self._prefixes)
            rest = next((bare[len(start) :] for start in (versioned, unversioned) if bare.startswith(start)), None)
            names[path] = bare if rest is None else f"/v2/models/{{model}}{rest}"
        return names

    def _table(self, card: Card, about: Mapping[str, Any]) -> dict[str, Route]:
        """Every path that there is, but for `/metrics`, which the application adds; what never changes is made once."""
        described = description(card, self._model.signature, about, max_rows=self._max_rows)
        model = {
            "": Route("GET", _always(answer(self._metadata))),
            "/ready": Route("GET", lambda _: self._readiness({"name": self._name, "ready": self.ready})),
            "/infer": Route("POST", self._infer),
        }
        unversioned = f"/v2/models/{self._name}"
        return {
            "/": Route("GET", _always(_html(form_page(card, about)))),
            "/score": Route("POST", self._score),
            "/model": Route("GET", self._model_card(_html(model_page(self._card)))),
            "/openapi.json": Route("GET", _always(answer(described))),
            "/v2": Route("GET", _always(answer(protocol.server_metadata(__version__)))),
            "/v2/health/live": Route("GET", _always(answer({"live": True}))),
            "/v2/health/ready": Route("GET", lambda _: self._readiness({"ready": self.ready})),
            **{f"{unversioned}{rest}": route for rest, route in model.items()},
            **{f"{unversioned}/versions/{self._version}{rest}": route for rest, route in model.items()},
        }

    def respond(self, request: Request) -> Response:
        """The answer to any request; what is wrong with a request is said in the answer and never raised."""
        try:
            return self._route(request).handle(request)
        except Refused as refused:
            return refused.response
        except BadRequest as error:
            return Refused(400, str(error)).response
        except TooManyRows as error:
            return Refused(413, str(error)).response
        except BadRows as error:
            problems = [asdict(problem) for problem in error.problems]
            return Refused(422, str(error), problems=problems, problems_total=error.total).response

    def _route(self, request: Request) -> Route:
        path = request.path
        route = self.routes.get(path) or self.routes.get("/" + path.strip("/"))
        if route is None:
            raise Refused(404, f"there is nothing at {path}{self._other_model(path)}")
        if request.method != route.method and (route.method, request.method) != ("GET", "HEAD"):
            allowed = "GET, HEAD" if route.method == "GET" else route.method
            raise Refused(405, f"{path} takes {allowed}", headers={"allow": allowed})
        return route

    def _other_model(self, path: str) -> str:
        here = f": the model here is {self._name}, version {self._version}"
        return here if bare_path(path, self._prefixes).startswith("/v2/models") else ""

    def _readiness(self, content: Mapping[str, Any]) -> Response:
        return answer(content, status=200 if self.ready else 503)

    def _model_card(self, page: Response) -> Callable[[Request], Response]:
        vary = {"vary": "accept"}
        as_json = answer(self._card, headers=vary)
        as_html = Response(status=200, body=page.body, headers={**page.headers, **vary})
        return lambda request: as_html if wants_html(request.headers.get("accept", "")) else as_json

    def _score(self, request: Request) -> Response:
        signature = self._model.signature
        require_media_type(request, JSON)
        body = parsed(request.body)
        feeds = self._reader.records(body) if type(body) is list and len(body) <= self._max_rows else None
        if feeds is None:
            feeds = feeds_of(read_rows(body, signature, max_rows=self._max_rows))
        answers = answers_from_predictions(self._predict(feeds, request.pause), signature)
        said = orjson.dumps(answers)
        if type(body) is list:  # as it came: objects that are kept only make work for the collector of garbage
            self._record(request.id, request.body, len(answers), (request.body, said))
        else:
            self._record(
                request.id, request.body, len(answers), lambda: (records_from_columns(columns_of(feeds)), said)
            )
        served = {"model": self._name, "version": self._version, "release": self.release, "request_id": request.id}
        return answer({**served, "predictions": orjson.Fragment(said)}, rows=len(answers))

    def _infer(self, request: Request) -> Response:
        signature = self._model.signature
        json_length = request.headers.get(protocol.JSON_LENGTH)
        require_media_type(request, *((JSON,) if json_length is None else (JSON, BINARY)))
        text, binary = protocol.parted(request.body, json_length)
        asked = protocol.read_request(
            parsed(text), signature, binary=binary, max_rows=self._max_rows, reader=self._reader
        )
        predictions = self._predict(asked.feeds, request.pause)

        def content() -> Content:
            return records_from_columns(asked.columns), answers_from_predictions(predictions, signature)

        marked = request.id.startswith(PROBE)
        self._record(request.id if marked else asked.id or request.id, request.body, asked.rows, content)
        answered, chunks = protocol.response(
            asked, predictions, signature, model=self._name, version=self._version, request_id=asked.id or request.id
        )
        if not chunks:
            return answer(answered, rows=asked.rows)
        head = orjson.dumps(answered)
        headers = {"content-type": BINARY, protocol.JSON_LENGTH: str(len(head))}
        return Response(status=200, body=b"".join([head, *chunks]), headers=headers, rows=asked.rows)

    def _predict(self, feeds: Feeds, pause: Callable[[], None]) -> Predictions:
        rows = len(next(iter(feeds.values())))
        try:
            predictions = self._model.run(feeds, rows, pause)
        except ValueError as error:
            raise Refused(422, str(error)) from error
        require_finite(predictions)
        return predictions

    def _record(self, request_id: str, body: bytes, rows: int, content: Content | Callable[[], Content]) -> None:
        if self._log is not None and rows:
            self._log.add(request_id, len(body), content)


def _always(response: Response) -> Callable[[Request], Response]:
    return lambda _: response


def _html(page: str) -> Response:
    return Response(status=200, body=page.encode(), headers=HTML)
