"""`python -m mlops_ci.scoring` serves one release of one model."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ci.core.records import BUILD_FILE, CARD_FILE, MODEL_FILE, SIGNATURE_FILE
from mlops_ci.scoring.base_path import base_path
from mlops_ci.scoring.log_options import add_log_options, open_log
from mlops_ci.scoring.metrics import Metrics

if TYPE_CHECKING:
    import socket

    from mlops_ci.scoring.artifact import Artifact

DRAIN_SECONDS = 0.3
LOG_PATIENCE = 5.0
OPEN_FILES = 2_048


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="python -m mlops_ci.scoring", description=__doc__)
    add = result.add_argument
    holds = f"holds {MODEL_FILE} and {SIGNATURE_FILE}, in an image also {BUILD_FILE}; {CARD_FILE} where there is one"
    add("--files", type=Path, required=True, metavar="DIR", help=holds)
    add("--model", metavar="NAME", help=f"default: as {BUILD_FILE} says")
    add("--version", type=int, metavar="N", help=f"default: as {BUILD_FILE} says")
    add("--release", default="", metavar="ID")
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8080, help="0 takes a free one")
    add("--base-path", type=base_path, default="", metavar="PATH", help="answer below this path too")
    add("--workers", type=_positive, default=1, metavar="N", help="processes; one keeps about one core busy")
    add("--announce", type=Path, metavar="PATH", help="write port and pid here, as JSON, once the service listens")
    add("--drain", type=float, default=DRAIN_SECONDS, metavar="SECONDS", help="go on answering so long after SIGTERM")
    add_log_options(result)
    return result


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    try:
        return _alone(options) if options.workers == 1 else _with_workers(options)
    except (OSError, ValueError) as error:
        return _cannot_serve(options, error)


def _alone(options: argparse.Namespace) -> int:
    from mlops_ci.scoring.artifact import load

    artifact = load(options.files, options.model, options.version)
    listener = _bound(options)
    port: int = listener.getsockname()[1]
    return _serve(options, artifact, listener, Metrics(), listening=partial(_listening, options, port))


def _with_workers(options: argparse.Namespace) -> int:
    from mlops_ci.scoring.workers import Workers

    listener = _bound(options)
    port: int = listener.getsockname()[1]
    metrics = Metrics(options.workers)

    def serve(worker: int, ready: Callable[[], None], life: int) -> int:
        from mlops_ci.scoring.artifact import load

        try:
            artifact = load(options.files, options.model, options.version)
            return _serve(options, artifact, listener, metrics, listening=ready, worker=worker, life=life)
        except (OSError, ValueError) as error:
            return _cannot_serve(options, error)

    ready = partial(_listening, options, port)
    return Workers(options.workers, serve, listener=listener, ready=ready, ended=metrics.ended).run()


def _serve(
    options: argparse.Namespace,
    artifact: Artifact,
    listener: socket.socket,
    metrics: Metrics,
    *,
    listening: Callable[[], None],
    worker: int = 0,
    life: int | None = None,
) -> int:
    """Answers until it is told to end; with `life`, a file that ends with the parent, as one of its workers."""
    from mlops_ci.scoring.app import Application
    from mlops_ci.scoring.listening import allow_connections
    from mlops_ci.scoring.server import Server
    from mlops_ci.scoring.service import ScoringService
    from mlops_ci.scoring.warm_up import warm_up

    allow_connections(OPEN_FILES)
    about = artifact.about(options.release)
    costs = warm_up(ScoringService(artifact.model, **about), artifact.model)
    log = open_log(options, artifact.model.signature, worker)
    service = ScoringService(artifact.model, **about, log=log, base_path=options.base_path)
    app = Application(service, costs=costs, metrics=metrics, worker=worker)

    def tick() -> None:
        app.counts.ready(service.ready)
        if log is not None:
            app.counts.log_dropped(log.dropped)

    def ready() -> None:
        tick()
        listening()

    # What is there now stays. To look at it in search of garbage takes 10 ms and more, in which nobody is answered.
    gc.collect()
    gc.freeze()
    Server(app, service, drain=options.drain, listening=ready, tick=tick, life=life).run([listener])
    if log is not None:
        log.close(LOG_PATIENCE)
    if app.busy:
        # A request that took too long still keeps its thread; the interpreter's own end would wait for the runtime.
        sys.stderr.flush()
        os._exit(0)
    return 0


def _bound(options: argparse.Namespace) -> socket.socket:
    from mlops_ci.scoring.listening import bind

    try:
        return bind(options.host, options.port)
    except OSError as error:
        raise OSError(f"at {options.host}:{options.port}: {error}") from error


def _cannot_serve(options: argparse.Namespace, error: Exception) -> int:
    sys.stderr.write(f"cannot serve {options.model or options.files}: {error}\n")
    return 1


def _listening(options: argparse.Namespace, port: int) -> None:
    version = "" if options.version is None else f" version {options.version}"
    sys.stderr.write(f"serving {options.model or options.files}{version} at {options.host}:{port}\n")
    if options.announce:
        announce(options.announce, port)


def announce(path: Path, port: int) -> None:
    """Says where the service listens, in one step, so that nobody reads half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps({"port": port, "pid": os.getpid()}))
    draft.replace(path)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"at least 1, not {text}")
    return number


if __name__ == "__main__":
    sys.exit(main())
