"""The options by which a service is told of its prediction log."""

from __future__ import annotations

import argparse
import errno
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ci.core.signature import Signature

if TYPE_CHECKING:
    from mlops_ci.scoring.prediction_log import PredictionLog

MEGABYTE = 1024 * 1024
STANDARD_OUTPUT = Path("-")
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""There may be room later, and the service is to be there now."""


def add_log_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--log", type=Path, metavar="PATH", help="the prediction log, - is standard output; without it nothing is kept")
    add("--log-sample", type=_share, default=1.0, metavar="SHARE", help="of all requests, from 0 to 1 (default: 1)")
    add(
        "--log-redact", action="append", default=[], metavar="COLUMN",
        help="leave this column's values out; may be given several times",
    )  # fmt: skip
    add("--log-max-mb", type=_from(1), default=64, metavar="N", help="of one file of the log (default: 64)")
    add("--log-keep", type=_from(0), default=1, metavar="N", help="older files beside it (default: 1)")


def open_log(options: argparse.Namespace, signature: Signature, worker: int = 0) -> PredictionLog | None:
    """This worker's log, to be opened in its own process; None where none is wanted. Raises OSError."""
    from mlops_ci.scoring.prediction_log import PredictionLog, worker_log
    from mlops_ci.scoring.standard_output import StandardOutput

    if options.log is None:
        return None
    return PredictionLog(
        StandardOutput(options.files) if options.log == STANDARD_OUTPUT else _writable(worker_log(options.log, worker)),
        release=options.release,
        sample=options.log_sample,
        redact=[column.name for column in signature.inputs if column.name in options.log_redact],
        max_bytes=options.log_max_mb * MEGABYTE,
        keep=options.log_keep,
    )


def _writable(path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()  # what can never be written to is to be known at the start
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
    return path


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"a share is from 0 to 1, not {text}")
    return share


def _from(least: int) -> type[int]:
    class Number(int):
        """A whole number that is not below `least`."""

        def __new__(cls, text: str) -> Number:
            number = super().__new__(cls, text)
            if number < least:
                raise argparse.ArgumentTypeError(f"at least {least}, not {text}")
            return number

    return Number
