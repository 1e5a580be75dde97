"""What `doctor` finds: the parts of it that need no forge, and how findings are put together.

Nothing here looks anything up: what was read comes in, findings go out. What could not be looked at is named as such,
never taken for healthy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mlops_ci.config.types import ModelConfig
from mlops_ci.core.codeowners import LARGEST, owners_of
from mlops_ci.core.forge_settings import Unseen
from mlops_ci.core.naming import one_line
from mlops_ci.errors import MlopsError
from mlops_ci.pipeline.desired_state import path_of

Level = Literal["error", "warning", "note"]
_WORKFLOWS = ".github/workflows/"
_SHOWN = 5
LEVELS: tuple[Level, ...] = ("error", "warning", "note")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as it should be, and what to do about it."""

    level: Level
    where: str
    what: str
    fix: str

    def to_json(self) -> dict[str, str]:
        return {"level": self.level, "where": self.where, "what": self.what, "fix": self.fix}

    def __str__(self) -> str:
        text = f"{self.level}: {self.where}: {self.what}" if self.where else f"{self.level}: {self.what}"
        return f"{text}\n    fix: {self.fix}" if self.fix else text


def error(where: str, what: str, fix: str) -> Finding:
    """It keeps something from working, or from being safe."""
    return _finding("error", where, what, fix)


def warning(where: str, what: str, fix: str) -> Finding:
    """It works, and is not as safe or as useful as it should be."""
    return _finding("warning", where, what, fix)


def note(where: str, what: str, fix: str) -> Finding:
    """It may well be meant so."""
    return _finding("note", where, what, fix)


def _finding(level: Level, where: str, what: str, fix: str) -> Finding:
    """Files and forges may name things as they like: no name breaks a line, or is obeyed by a terminal."""
    return Finding(level=level, where=one_line(where), what=one_line(what), fix=one_line(fix))


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """All findings, the gravest first, and what nobody has looked at."""

    findings: tuple[Finding, ...]
    not_looked_at: tuple[Unseen, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error. It says nothing of what was not looked at."""
        return all(finding.level != "error" for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "findings": [finding.to_json() for finding in self.findings],
            "not_looked_at": [{"what": one.what, "why": one.why} for one in self.not_looked_at],
        }

    def __str__(self) -> str:
        counted = [(sum(one.level == level for one in self.findings), level) for level in LEVELS]
        counts = [f"{count} {level}" + ("" if count == 1 else "s") for count, level in counted]
        lines = [*map(str, self.findings), *(f"not looked at: {one.what}: {one.why}" for one in self.not_looked_at)]
        return "\n".join([*lines, ", ".join(counts) + f", {len(self.not_looked_at)} not looked at"])


def diagnosis(findings: Sequence[Finding], unseen: Sequence[Unseen]) -> Diagnosis:
    """The findings in order: by level, then as they were found; each once."""
    ordered = sorted(dict.fromkeys(findings), key=lambda one: LEVELS.index(one.level))
    return Diagnosis(findings=tuple(ordered), not_looked_at=tuple(dict.fromkeys(unseen)))


def of_error(known: MlopsError) -> Iterator[Finding]:
    """What kept something from being read, each of its problems by itself."""
    for problem in known.problems:
        yield error(problem.where, problem.what, problem.fix)
    if not known.problems:
        yield error(known.where, known.what, known.fix)


@dataclass(frozen=True, kw_only=True)
class TemplateState:
    """How a repository stands to its template, `kind` of the toolkit `was`; `now` is the toolkit that looks.

    `behind` are the files in which the template has moved on, `changed` and `deleted` those that the team has otherwise
    than the template gave them. `on_record` is False where nobody kept what it gave, so that this cannot be told.
    """

    kind: str
    was: str
    now: str
    on_record: bool
    behind: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()


def template_findings(state: TemplateState) -> Iterator[Finding]:
    """Whether the template has moved on, and which of the workflows are not as it gave them.

    Everything else that it gave is there to be changed by the team.
    """
    where = ".mlops-template.yaml"
    if not state.on_record:
        what = f"nobody kept what the template {state.kind} gave, so it cannot be told what is the team's own"
        yield warning(where, what, "mlops-ci update, which keeps it from then on")
        return
    if state.behind:
        names = _some(state.behind)
        what = f"template {state.kind}: mlops-ci {state.now} has other files than {state.was} had: {names}"
        yield warning(where, what, "mlops-ci update")
    for name in (name for name in state.deleted if name.startswith(_WORKFLOWS)):
        yield note(name, "the template gave this workflow, and the team has none", "restore it, or put it under `own:`")
    for name in (name for name in state.changed if name.startswith(_WORKFLOWS)):
        what = "the team has changed this workflow, which the template keeps up to date"
        yield note(name, what, "mlops-ci update merges both; `own:` in .mlops-template.yaml leaves it to the team")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def owners_findings(
    configs: Sequence[ModelConfig], codeowners: tuple[str, bytes] | None, top: str
) -> Iterator[Finding]:
    """Who may approve, by configuration and by CODEOWNERS: its place and content, or None where there is none.

    `top` is the way from the repository's top to the project, empty where they are the same.
    """
    place, content = codeowners or ("", b"")
    if len(content) > LARGEST:
        what = f"it has {len(content):,} bytes, and GitHub reads none above {LARGEST:,}: nobody owns anything"
        yield error(place, what, "make it shorter: one pattern may cover many files")
        content = b""
    text = content.decode("utf-8", "surrogateescape")
    for skipped in owners_of("", text).skipped:
        line, _, why = skipped.partition(": ")
        yield warning(
            f"{place}, {line}",
            f"GitHub skips this line: {why}",
            "mend it: the owners may be others than it says",
        )
    for config in configs:
        for environment in config.environments:
            approvals = environment.approvals
            path = top + path_of(environment.name, config.model)
            needed = approvals.needed(config.risk)
            if needed and not approvals.people and not owners_of(path, text).owners:
                yield warning(
                    path,
                    f"{needed} approval(s) are needed and anybody but the author may give them",
                    f"name them in CODEOWNERS ({path}), or in `approvals: from`",
                )


def teams_of(configs: Sequence[ModelConfig], codeowners: tuple[str, bytes] | None, top: str) -> tuple[str, ...]:
    """The teams of whom somebody's approval is asked."""
    text = codeowners[1][:LARGEST].decode("utf-8", "surrogateescape") if codeowners else ""
    named: list[str] = []
    for config in configs:
        for environment in config.environments:
            if environment.approvals.needed(config.risk):
                named += environment.approvals.people
                named += owners_of(top + path_of(environment.name, config.model), text).owners
    return tuple(dict.fromkeys(name for name in named if "/" in name))


def asks_people(configs: Sequence[ModelConfig]) -> bool:
    """Whether anybody has to agree before some environment serves something else."""
    return any(one.approvals.needed(config.risk) > 0 for config in configs for one in config.environments)
