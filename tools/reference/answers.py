"""The fields of `--json` that other programs may rely on, as `answers.yaml` lists them beside this module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

LISTED = Path(__file__).parent / "answers.yaml"


def answers() -> Mapping[str, Sequence[tuple[str, str]]]:
    """For each command its fields and what they are, in the order of the file."""
    listed: Mapping[str, Mapping[str, str]] = yaml.safe_load(LISTED.read_text(encoding="utf-8"))
    return {command: list(fields.items()) for command, fields in listed.items()}
