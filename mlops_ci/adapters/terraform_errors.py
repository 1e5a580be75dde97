"""What Terraform says when it fails, as errors that a person can act upon: short, named, and without secrets."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_ci.adapters.processes import URL_CREDENTIALS
from mlops_ci.core.naming import one_line
from mlops_ci.errors import ConfigurationError, MlopsError, OutsideError, Problem

SHOWN = 5
LONGEST_SUMMARY, LONGEST_DETAIL, DETAIL_LINES = 300, 1_000, 10
LARGEST_OUTPUT = 64 * 1024 * 1024
LOCKED = "Error acquiring the state lock"
STALE = "Saved plan is stale"
THERE = re.compile(r"already exists|AlreadyExists|PriorityInUse|not idempotent|Duplicate", re.IGNORECASE)
UNWRITTEN = ("Failed to save state", "Failed to persist state", "Error saving state")
SECRET = re.compile(r"SECRET|TOKEN|PASSWORD|CREDENTIAL|_KEY|^TF_VAR_", re.IGNORECASE)
SHORTEST_SECRET = 6
LOCK_LINE = re.compile(r"^\s*(ID|Who|Operation|Created):\s*(\S.*?)\s*$", re.MULTILINE)
ERRORED_STATE = "errored.tfstate"


class StalePlan(Exception):
    """The state has changed since the plan was made."""


class AlreadyThere(OutsideError):
    """What was to be made is there, and the state knows nothing of it: an apply that was killed had made it."""


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """One error; `address` is the resource's that it is about, `place` the line of the module, empty where none is."""

    summary: str
    detail: str = ""
    address: str = ""
    place: str = ""

    def problem(self) -> Problem:
        lines = self.detail.splitlines()
        cut = [one_line(line) for line in lines[:DETAIL_LINES]]
        text = "\n      ".join(cut)[:LONGEST_DETAIL]
        more = " …" if len(lines) > DETAIL_LINES or len("\n      ".join(cut)) > LONGEST_DETAIL else ""
        where = ", ".join(filter(None, (self.address[:LONGEST_SUMMARY], self.place)))
        summary = one_line(self.summary)[:LONGEST_SUMMARY]
        return Problem(where=where, what=f"{summary}: {text}{more}" if text else summary)


def diagnostics(out: Path, errors: Path, secrets: Sequence[str] = ()) -> list[Diagnostic]:
    """The errors among what a command has written with `-json`; what it wrote otherwise, where there are none."""
    found = [_diagnostic(each, secrets) for each in _messages(out) if each.get("severity") == "error"]
    if found:
        return list(dict.fromkeys(found))
    words = without(_beginning(errors) or _beginning(out), secrets).strip().splitlines()
    return [Diagnostic(summary="it said", detail="\n".join(words[-DETAIL_LINES:]))] if words else []


def secrets_in(variables: Mapping[str, str]) -> tuple[str, ...]:
    """The values that must not be repeated, the longest first."""
    found = {value for name, value in variables.items() if SECRET.search(name) and len(value) >= SHORTEST_SECRET}
    return tuple(sorted(found, key=len, reverse=True))


def without(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return URL_CREDENTIALS.sub("://***@", text)


def failure(
    what: str, found: Sequence[Diagnostic], *, where: Path, data: Path, applying: bool = False, fix: str = ""
) -> MlopsError:
    """The error that names what was found: the module's own mistake, or that of a system outside.

    `where` is the module's folder, and `data` the one in which Terraform was told to keep what it knows of the backend.
    Raises StalePlan where it is that. While `applying` nothing is the module's alone any more.
    """
    if any(each.summary == STALE for each in found):
        raise StalePlan
    locked = next((each for each in found if each.summary == LOCKED), None)
    if locked is not None:
        return _locked(locked, where, data)
    problems = [each.problem() for each in found[:SHOWN]]
    if len(found) > SHOWN:
        problems.append(Problem(where="", what=f"and {len(found) - SHOWN} more errors"))
    if any(each.summary.startswith(UNWRITTEN) for each in found):
        fix = _push(where, data)
        return OutsideError(f"{what}: the state could not be written", where=str(where), fix=fix, problems=problems)
    # An error with a line and no resource is about what is written there; one about a resource may be the provider's.
    own = not applying and any(each.place for each in found) and not any(each.address for each in found)
    kind: type[MlopsError] = ConfigurationError if own else OutsideError
    if applying and any(THERE.search(f"{each.summary} {each.detail}") for each in found):
        kind = AlreadyThere
    return kind(f"{what} failed", where=str(where), fix=fix, problems=problems)


def require_written_state(directory: Path, data: Path) -> None:
    """Raises OutsideError where an apply could not write its state, and left it beside the module."""
    if (directory / ERRORED_STATE).exists():
        raise OutsideError(
            "an earlier apply could not write its state, and nothing may be changed before that is made good",
            where=str(directory / ERRORED_STATE), fix=_push(directory, data),
        )  # fmt: skip


def _push(directory: Path, data: Path) -> str:
    command = shlex.join(_terraform(directory, data, "state", "push", ERRORED_STATE))
    return f"{command}, then remove that file from {directory}: it may hold secrets"


def _terraform(directory: Path, data: Path, *arguments: str) -> tuple[str, ...]:
    """A command for people, of the module as mlops-ci has prepared it on this machine."""
    return ("env", f"TF_DATA_DIR={data}", "terraform", f"-chdir={directory}", *arguments)


def _locked(found: Diagnostic, where: Path, data: Path) -> OutsideError:
    said = dict(LOCK_LINE.findall(found.detail))
    if "ID" not in said:
        return OutsideError("the state could not be locked", where=str(where), problems=[found.problem()])
    who, since, lock = (one_line(said.get(name, "unknown"))[:100] for name in ("Who", "Created", "ID"))
    unlock = _terraform(where, data, "force-unlock", lock)
    return OutsideError(
        f"the state is locked by {who} since {since} ({said.get('Operation', 'unknown')[:40]})",
        where=str(where),
        fix="wait for it, then try again. Only where nobody is at work there any more (a command that was killed, or a "
        f"machine that is gone): {shlex.join(unlock)}",
    )


def _messages(out: Path) -> Iterator[Mapping[str, Any]]:
    """The diagnostics among the lines."""
    with out.open("rb") as file:
        for line in file:
            if b'"diagnostic"' not in line:
                continue
            try:
                found = json.loads(line)["diagnostic"]
            except (ValueError, KeyError, TypeError):
                continue
            if isinstance(found, dict):
                yield found


def _diagnostic(each: Mapping[str, Any], secrets: Sequence[str]) -> Diagnostic:
    span = each.get("range") or {}
    line = (span.get("start") or {}).get("line", "")
    return Diagnostic(
        summary=without(str(each.get("summary", "")), secrets),
        detail=without(str(each.get("detail", ""))[: 100 * LONGEST_DETAIL], secrets),
        address=str(each.get("address") or ""),
        place=f"{span['filename']}:{line}" if span.get("filename") else "",
    )


def _beginning(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(LARGEST_OUTPUT).decode(errors="replace")
