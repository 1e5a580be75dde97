"""A YAML file as plain values that know their lines, and what can be said against them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_ci.errors import Problem

KeyPath = tuple[str | int, ...]
"""The way from the top to a value: keys of mappings, and indices of lists from 0."""


@dataclass(frozen=True, kw_only=True)
class Complaint:
    """One thing said against the value at `path`, by somebody who does not know about lines."""

    path: KeyPath
    what: str
    fix: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing said against a line of the file."""

    line: int
    what: str
    fix: str


@dataclass(frozen=True, kw_only=True)
class Document:
    """What one file says. `lines` and `plain` have the line (from 1) and, where there are no quotes, the spelling of
    the value at a path; `findings` is what the reader already has to say against it, `broken` the paths that it could
    not give a value for that reason.
    """

    name: str
    value: Mapping[str, Any]
    lines: Mapping[KeyPath, int]
    plain: Mapping[KeyPath, str]
    findings: tuple[Finding, ...]
    broken: frozenset[KeyPath]

    def line(self, path: KeyPath) -> int:
        """The line of the value at `path`, or of the innermost thing around it that is written down."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def found(self, complaints: Iterable[Complaint]) -> list[Finding]:
        return [Finding(line=self.line(each.path), what=each.what, fix=each.fix) for each in complaints]

    def problems(self, findings: Iterable[Finding]) -> list[Problem]:
        """The findings in the order of their lines, each with file and line; the same one is named once."""
        ordered = sorted(dict.fromkeys(findings), key=lambda finding: finding.line)
        return [Problem(where=f"{self.name}:{each.line}", what=each.what, fix=each.fix) for each in ordered]
