from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from mlops_ci.core.signature import Column, Signature
from mlops_ci.scoring.log_options import add_log_options, open_log

SIGNATURE = Signature(task="regression", inputs=(Column(name="x", kind="number"), Column(name="--name=", kind="text")))


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_log_options(parser)
    return parser.parse_args(arguments, argparse.Namespace(release="abc"))


def test_without_a_path_there_is_no_log() -> None:
    assert open_log(options("--log-sample=0.5"), SIGNATURE) is None


def test_a_worker_has_its_own_file_and_only_columns_of_the_model_are_left_out(tmp_path: Path) -> None:
    given = options(
        f"--log={tmp_path / 'new' / 'p.jsonl'}", "--log-redact=--name=", "--log-redact=id", "--log-max-mb=1"
    )
    for worker in range(2):
        log = open_log(given, SIGNATURE, worker)
        assert log is not None
        log.add("r", 10, lambda: ([{"x": 1.0, "--name=": "Jane"}], [{"value": 1.0}]))
        log.close(60)

    for name in ("p.jsonl", "p-1.jsonl"):
        line = json.loads((tmp_path / "new" / name).read_text())
        assert (line["records"], line["redacted"], line["release"]) == ([{"x": 1.0}], ["--name="], "abc")


@pytest.mark.parametrize(
    "wrong", ["--log-sample=1.5", "--log-sample=-0.1", "--log-sample=nan", "--log-keep=-1", "--log-max-mb=0"]
)
def test_what_cannot_be_is_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options("--log=p.jsonl", wrong)
    assert wrong.partition("=")[0] in capsys.readouterr().err


def test_a_log_that_can_never_be_written_is_known_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        open_log(options(f"--log={tmp_path / 'file' / 'inner' / 'p.jsonl'}"), SIGNATURE)
    with pytest.raises(IsADirectoryError):
        open_log(options(f"--log={tmp_path}"), SIGNATURE)
