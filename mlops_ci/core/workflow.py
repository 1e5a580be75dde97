"""A workflow file of GitHub Actions, as far as one asks whether it can work: its events, jobs, permissions, pins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_USES = re.compile(r"^\s*(?:-\s+)?uses:\s*[\"']?([^\s\"'#]+)", re.MULTILINE)
_CALLED = re.compile(r"(?P<repository>[^/@]+/[^/@]+)/\.github/workflows/(?P<name>[^/@]+)\.ya?ml@(?P<ref>.+)")
_SECRET = re.compile(r"\bsecrets\.([A-Za-z_][A-Za-z0-9_]*)")
_LEVELS = ("none", "read", "write")


@dataclass(frozen=True, kw_only=True)
class Used:
    """What a step or a job uses, and the line (1 is the first) on which it says so."""

    name: str
    line: int

    @property
    def ref(self) -> str:
        return self.name.partition("@")[2]


@dataclass(frozen=True, kw_only=True)
class Call:
    """A job that calls the reusable workflow `name` of `repository` at `ref`; it may say nothing of `grants` (None)."""

    job: str
    shown: str
    repository: str
    name: str
    ref: str
    grants: Mapping[str, str] | None
    inputs: Mapping[str, str]
    secrets: Mapping[str, str] | None
    """None: `inherit`."""


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """`document` is the file as YAML reads it, every scalar as text; `fault` says why it cannot be read."""

    path: str
    text: str = field(repr=False)
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    fault: str = ""

    @property
    def name(self) -> str:
        """As other workflows and people call it."""
        return str(self.document.get("name") or self.path)

    @property
    def events(self) -> Mapping[str, Any]:
        """What starts it, with what it says of that."""
        written = self.document.get("on", ())
        if isinstance(written, Mapping):
            return written
        return {str(event): {} for event in ([written] if isinstance(written, str) else written)}

    @property
    def permissions(self) -> Any:
        """What all jobs are granted that do not say otherwise; None where nothing is said."""
        return self.document.get("permissions")

    @property
    def jobs(self) -> Mapping[str, Mapping[str, Any]]:
        jobs = self.document.get("jobs")
        return {key: job for key, job in jobs.items() if isinstance(job, Mapping)} if isinstance(jobs, Mapping) else {}

    @property
    def uses(self) -> Iterator[Used]:
        for found in _USES.finditer(self.text):
            yield Used(name=found[1], line=self.text.count("\n", 0, found.start(1)) + 1)

    @property
    def secrets(self) -> frozenset[str]:
        """The names of all secrets that it asks for, but for the token that every job has."""
        return frozenset(name.upper() for name in _SECRET.findall(self.text)) - {"GITHUB_TOKEN"}

    @property
    def calls(self) -> Iterator[Call]:
        """The jobs that are reusable workflows of another repository."""
        for key, job in self.jobs.items():
            found = _CALLED.fullmatch(str(job.get("uses", "")))
            if found is None:
                continue
            grants, secrets = job.get("permissions", self.permissions), job.get("secrets", {})
            yield Call(
                job=key, shown=str(job.get("name", key)), repository=found["repository"], name=found["name"],
                ref=found["ref"], grants=None if grants is None else granted(grants), inputs=_texts(job.get("with")),
                secrets=None if secrets == "inherit" else _texts(secrets),
            )  # fmt: skip


def granted(written: Any) -> Mapping[str, str]:
    """The level by permission; under `*` what is granted for all others.

    >>> dict(granted("read-all")), dict(granted({"contents": "read"}))
    ({'*': 'read'}, {'contents': 'read'})
    """
    if isinstance(written, Mapping):
        return _texts(written)
    return {"*": str(written).removesuffix("-all")} if str(written).endswith("-all") else {}


def lacks(grants: Mapping[str, str], needed: Mapping[str, str]) -> Mapping[str, str]:
    """What of the needed permissions is not granted."""
    return {
        name: level for name, level in needed.items() if _rank(grants.get(name, grants.get("*", "none"))) < _rank(level)
    }


def _rank(level: str) -> int:
    return _LEVELS.index(level) if level in _LEVELS else 0


def _texts(written: Any) -> Mapping[str, str]:
    return {str(key): str(value) for key, value in written.items()} if isinstance(written, Mapping) else {}
