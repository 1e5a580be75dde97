"""What `verification` may say, and what it means where it says nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mlops_ci.config.durations import is_duration
from mlops_ci.config.loading import load
from mlops_ci.config.rules import HIGHEST_RATE
from mlops_ci.config.types import VerificationConfig
from mlops_ci.config.validation import MODEL_SCHEMA, schema_of
from mlops_ci.errors import ConfigurationError

BASE = """\
schema: 1
model: late
task: regression
data: {source: data.csv, target: late}
train: {entrypoint: "train:build_model"}
"""
Declared = Callable[[str], VerificationConfig]


@pytest.fixture
def declared(tmp_path: Path) -> Declared:
    def of(section: str) -> VerificationConfig:
        (tmp_path / "mlops.yaml").write_text(BASE + section)
        return load(tmp_path / "mlops.yaml").verification

    return of


def test_without_the_section_there_are_the_defaults(declared: Declared) -> None:
    assert declared("") == VerificationConfig()
    assert declared("verification: {}\n") == VerificationConfig(
        rate=20, duration=timedelta(seconds=2), latency_p99_ms=250.0, error_rate=0.0, memory_mb=1024.0
    )


def test_each_key_is_taken(declared: Declared) -> None:
    limits = "latency_p99_ms: 0.5, error_rate: 0.01, memory_mb: 80.5"
    found = declared(f"verification: {{rate: 500, duration: 10m, {limits}}}\n")
    assert found == VerificationConfig(
        rate=500, duration=timedelta(minutes=10), latency_p99_ms=0.5, error_rate=0.01, memory_mb=80.5
    )


@pytest.mark.parametrize(
    ("section", "word"),
    [
        ("rate: 0", "rate"),
        ("rate: 501", "rate"),
        ("rate: 2.5", "whole number"),
        ("rate: .nan", "nan"),
        ("duration: 2", "duration"),
        ("duration: 1.5s", "duration"),
        ("duration: 601s", "every deployment would wait for it"),
        ("duration: 1h", "every deployment would wait for it"),
        ("latency_p99_ms: 0", "latency_p99_ms"),
        ("latency_p99_ms: .inf", "inf"),
        ("error_rate: -0.1", "error_rate"),
        ("error_rate: 1", "error_rate"),
        ("memory_mb: 0", "memory_mb"),
        ("memory_mb: all", "memory_mb"),
        ("latency: 10", "latency_p99_ms"),
    ],
)
def test_what_would_check_nothing_is_refused(declared: Declared, section: str, word: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        declared(f"verification: {{{section}}}\n")
    assert word in str(caught.value)
    assert "mlops.yaml:6" in str(caught.value)


def test_the_command_line_has_the_limits_of_the_schema() -> None:
    section = schema_of(MODEL_SCHEMA)["$defs"]["verification"]["properties"]
    assert section["rate"]["maximum"] == HIGHEST_RATE
    assert [is_duration(text) for text in ("0s", "10m", "s", "-1s", "1.5s", "2s\n", "")] == [True, True, *[False] * 5]
