"""The section `serving`: its defaults, what is never logged, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_ci.config.loading import load
from mlops_ci.core.serving import LogConfig, ServingConfig

PRIVATE = """\
schema: 1
columns:
  a: {type: text, private: true}
  b: {type: text}
  c: {type: text, private: true}
"""


def serving(folder: Path, text: str) -> ServingConfig:
    (folder / "mlops.yaml").write_text(text)
    (folder / "data.schema.yaml").write_text(PRIVATE)
    return load(folder / "mlops.yaml").serving


def test_services_keep_a_log_of_every_request_by_default(tmp_path: Path, minimal: str) -> None:
    assert serving(tmp_path, minimal) == ServingConfig(
        workers=1, log=LogConfig(sample=1.0, redact=(), max_mb=64, keep=1)
    )


def test_private_columns_are_left_out_whether_they_are_listed_or_not(tmp_path: Path, minimal: str) -> None:
    text = minimal.replace("  target: late\n", "  target: late\n  schema: data.schema.yaml\n")
    assert serving(tmp_path, text).log.redact == ("a", "c")
    given = serving(tmp_path, text + "serving: {workers: 4, log: {sample: 0, redact: [x, c], max_mb: 1, keep: 0}}\n")
    assert given == ServingConfig(workers=4, log=LogConfig(sample=0.0, redact=("x", "c", "a"), max_mb=1, keep=0))


@pytest.mark.parametrize(
    "wrong",
    [
        "{workers: 0}",
        "{workers: 1.5}",
        "{workers: 65}",
        "{log: {sample: 1.1}}",
        "{log: {sample: -0.1}}",
        "{log: {sample: 10%}}",
        "{log: {redact: ssn}}",
        "{log: {redact: [ssn, ssn]}}",
        "{log: {redact: ['']}}",
        "{log: {max_mb: 0}}",
        "{log: {max_mb: 64MB}}",
        "{log: {keep: -1}}",
        "{log: {keep: 101}}",
        "{log: {path: x.jsonl}}",
        "{log: true}",
        "{threads: 2}",
    ],
)
def test_what_cannot_be_is_refused_with_its_key(problems: Callable[..., list[str]], minimal: str, wrong: str) -> None:
    (problem,) = problems(f"{minimal}serving: {wrong}\n")
    assert problem.startswith("9: ")
    assert "serving" in problem
