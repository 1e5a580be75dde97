"""`python -m mlops_ci.scoring` serves one release of one model."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from pathlib import Path

from mlops_ci.core.records import MODEL_FILE, SIGNATURE_FILE
from mlops_ci.core.signature import Signature
from mlops_ci.scoring.model import OnnxModel, OnnxRuntime

DRAIN_SECONDS = 0.3
LOG_PATIENCE = 5.0


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="python -m mlops_ci.scoring", description=__doc__)
    add = result.add_argument
    add("--files", type=Path, required=True, metavar="DIR", help=f"holds {MODEL_FILE} and {SIGNATURE_FILE}")
    add("--model", required=True, metavar="NAME")
    add("--version", type=int, required=True, metavar="N")
    add("--release", required=True, metavar="ID")
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8080, help="0 takes a free one")
    add("--log", type=Path, metavar="PATH", help="the prediction log; without it nothing is kept")
    add("--announce", type=Path, metavar="PATH", help="write port and pid here, as JSON, once the service listens")
    add("--drain", type=float, default=DRAIN_SECONDS, metavar="SECONDS", help="go on answering so long after SIGTERM")
    return result


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    try:
        model = load(options.files)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"cannot serve {options.model}: {error}\n")
        return 1
    from mlops_ci.scoring.app import application
    from mlops_ci.scoring.prediction_log import PredictionLog
    from mlops_ci.scoring.server import Server, bind
    from mlops_ci.scoring.service import ScoringService

    try:
        listener = bind(options.host, options.port)
        log = PredictionLog(options.log, release=options.release) if options.log else None
    except OSError as error:
        sys.stderr.write(f"cannot serve {options.model} at {options.host}:{options.port}: {error}\n")
        return 1
    service = ScoringService(model, name=options.model, version=options.version, release=options.release, log=log)
    port: int = listener.getsockname()[1]

    def listening() -> None:
        sys.stderr.write(f"serving {options.model} version {options.version} at {options.host}:{port}\n")
        if options.announce:
            announce(options.announce, port)

    Server(application(service), service, drain=options.drain, listening=listening).run([listener])
    if log is not None:
        log.close(LOG_PATIENCE)
    return 0


def load(files: Path) -> OnnxModel:
    """Raises OSError or ValueError saying what is wrong with which file."""
    try:
        signature = Signature.from_json(json.loads((files / SIGNATURE_FILE).read_bytes()))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{files / SIGNATURE_FILE}: {error!r}") from error
    return OnnxRuntime().load((files / MODEL_FILE).read_bytes(), signature)


def announce(path: Path, port: int) -> None:
    """Says where the service listens, in one step, so that nobody reads half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps({"port": port, "pid": os.getpid()}))
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main())
