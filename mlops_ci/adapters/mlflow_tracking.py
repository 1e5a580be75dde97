"""Tells an MLflow tracking server of a judged candidate. Only writes: no decision rests on what it holds.

It speaks the server's REST API (version 2.0) itself. The client library would bring 65 MB, seconds of imports, retries
for minutes and a report of its own to its makers, for the six requests that are made here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from mlops_ci.core.tracking import TrackedRun
from mlops_ci.errors import OutsideError
from mlops_ci.ports import Console

if TYPE_CHECKING:
    import requests

SECONDS = 10.0
"""For one run in all. After that the pipeline goes on, whatever the server does."""
ITEMS = 100
"""Parameters, metrics or tags that one request may hold."""
LONGEST = 500
"""Characters of a parameter, as the oldest servers allow."""
ARTIFACTS = "mlflow-artifacts"


class MlflowTracker:
    """Implements `ports.Tracker`. A password or token never gets into a message."""

    def __init__(self, uri: str, *, credentials: Mapping[str, str], console: Console, seconds: float = SECONDS) -> None:
        """`credentials` may hold `token`, or `username` and `password`; the URI may hold the latter two itself."""
        try:
            parts = urlsplit(uri.strip().rstrip("/"))
        except ValueError:
            parts = urlsplit("")
        self._address = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
        self._credentials = {
            "username": unquote(parts.username or "") or credentials.get("username", ""),
            "password": unquote(parts.password or "") or credentials.get("password", ""),
            "token": credentials.get("token", ""),
        }
        self._console = console
        self._seconds = seconds

    def record(self, run: TrackedRun) -> None:
        outcome = ["there was no answer in time"]

        def tell() -> None:
            try:
                where = self._tell(run)
                outcome[:] = ["", where]
            except OutsideError as error:
                outcome[:] = [error.what]
            except Exception as error:  # noqa: BLE001 - its words may hold the address with its password
                outcome[:] = [f"its answers are not those of a tracking server ({type(error).__name__})"]

        # A server that sends a byte now and then keeps every time limit of a socket: only a thread can be left behind.
        thread = Thread(target=tell, name="mlflow", daemon=True)
        thread.start()
        thread.join(self._seconds)
        problem, *where = outcome
        if where:
            self._console.say(f"{run.model}: recorded in MLflow: {where[0]}")
        else:
            where_to = f" at {self._address}" if self._address else ""
            self._console.warn(f"{run.model}: not recorded in MLflow{where_to}: {problem}; going on without")

    def _tell(self, run: TrackedRun) -> str:
        """Makes the run; returns its address. Raises OutsideError."""
        import requests

        if urlsplit(self._address).scheme not in ("http", "https"):
            raise OutsideError("MLFLOW_TRACKING_URI is not the http:// or https:// address of a tracking server")
        with requests.Session() as session:
            if token := self._credentials["token"]:
                session.headers["Authorization"] = f"Bearer {token}"
            elif username := self._credentials["username"]:
                session.auth = (username, self._credentials["password"])
            experiment = self._experiment(session, run.model)
            made = self._ask(
                session,
                "runs/create",
                {
                    "experiment_id": experiment,
                    "run_name": run.name,
                    "start_time": _now(),
                    "tags": _items(run.tags),
                },
            )["run"]["info"]
            for batch in _batches(run):
                self._ask(session, "runs/log-batch", {"run_id": made["run_id"], **batch})
            self._upload(session, made.get("artifact_uri", ""), run.files)
            self._ask(session, "runs/update", {"run_id": made["run_id"], "status": "FINISHED", "end_time": _now()})
        return f"{self._address}/#/experiments/{experiment}/runs/{made['run_id']}"

    def _experiment(self, session: requests.Session, name: str) -> str:
        """The experiment's id, made where there is none of this name."""
        created = self._ask(session, "experiments/create", {"name": name}, unless="RESOURCE_ALREADY_EXISTS")
        if created:
            return str(created["experiment_id"])
        found = self._ask(session, f"experiments/get-by-name?experiment_name={quote(name)}", None)
        return str(found["experiment"]["experiment_id"])

    def _upload(self, session: requests.Session, artifact_uri: str, files: Mapping[str, bytes]) -> None:
        parts = urlsplit(artifact_uri)
        if files and parts.scheme != ARTIFACTS:
            self._console.say("MLflow keeps artifacts where only its own clients write, so the report is not sent")
            return
        for name, data in files.items():
            url = f"{self._address}/api/2.0/{ARTIFACTS}/artifacts/{quote(parts.path.strip('/'))}/{quote(name)}"
            self._answer(session, "PUT", url, data=data)

    def _ask(
        self, session: requests.Session, what: str, value: Mapping[str, Any] | None, *, unless: str = ""
    ) -> dict[str, Any]:
        method, url = "GET" if value is None else "POST", f"{self._address}/api/2.0/mlflow/{what}"
        return self._answer(session, method, url, json=value, unless=unless)

    def _answer(
        self, session: requests.Session, method: str, url: str, *, unless: str = "", **body: Any
    ) -> dict[str, Any]:
        """The answer's JSON object; an empty one where the server refuses with the error code `unless`."""
        import requests

        try:
            # A redirected POST arrives as a GET, and would take the password along.
            response = session.request(method, url, timeout=self._seconds, allow_redirects=False, **body)
        except requests.Timeout as error:
            raise OutsideError("there was no answer in time") from error
        except requests.RequestException as error:
            raise OutsideError(f"it cannot be reached ({type(error).__name__})") from error
        try:
            value = response.json() if response.content else {}
        except ValueError:
            value = None
        if not isinstance(value, dict):
            value = {"message": "the answer is no JSON object; is that the address of a tracking server?"}
            response.status_code = max(response.status_code, 300)
        if response.status_code >= 300:
            code = str(value.get("error_code", ""))
            if unless and code == unless:
                return {}
            raise OutsideError(f"HTTP {response.status_code} {code} {self._clean(value.get('message', ''))}".strip())
        return value

    def _clean(self, text: Any) -> str:
        """What a server says, without the secrets that it may have been told."""
        said = " ".join(str(text).split())
        for secret in (self._credentials["password"], self._credentials["token"]):
            said = said.replace(secret, "***") if secret else said
        return said[:200]


def _batches(run: TrackedRun) -> Iterator[dict[str, Any]]:
    now = _now()
    params = [
        (name, value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…") for name, value in run.params.items()
    ]
    for start in range(0, len(params), ITEMS):
        yield {"params": _items(dict(params[start : start + ITEMS]))}
    metrics = [{**item, "timestamp": now, "step": 0} for item in _items(run.metrics)]
    for start in range(0, len(metrics), ITEMS):
        yield {"metrics": metrics[start : start + ITEMS]}


def _items(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": re.sub(r"[^\w. /-]", "_", name, flags=re.ASCII)[:250], "value": value} for name, value in values.items()
    ]


def _now() -> int:
    """Milliseconds since 1970, as the server counts."""
    return int(time.time() * 1000)
