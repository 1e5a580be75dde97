"""`doctor`: what is misconfigured, behind or drifted, in the repository and on GitHub, and how to mend it.

It needs nothing: where there is no token, no repository or too few rights, it says what it could not look at.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ci.cli.command import Command, Outcome
from mlops_ci.errors import ConfigurationError, MlopsError, Problem

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.config.types import ModelConfig
    from mlops_ci.core.forge_settings import ForgeSettings, Unseen
    from mlops_ci.pipeline.doctor import Finding, TemplateState

SETTINGS = "the settings on GitHub"
LOCAL = (
    "the forge is plain Git on this machine; MLOPS_FORGE=github with GITHUB_TOKEN set looks there "
    "(an administrator's token sees everything)"
)


def doctor(_: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.adapters.environment import GATE
    from mlops_ci.adapters.workflow_files import FOLDER, read_workflows
    from mlops_ci.pipeline import doctor as look
    from mlops_ci.pipeline.doctor_forge import Needs, forge_findings
    from mlops_ci.pipeline.doctor_workflows import wiring, workflow_findings

    top, way = _top(context)
    findings: list[Finding] = []
    unseen: list[Unseen] = []
    configs = list(_configurations(context, findings))
    owners = _codeowners(top)
    findings += look.owners_findings(configs, owners, way)
    workflows = read_workflows(top)
    findings += workflow_findings(workflows, way=way)
    if way and (context.directory / FOLDER).is_dir():
        what = f"GitHub reads workflows at the repository's top only, and not those in {way}{FOLDER}"
        findings.append(look.warning(way + FOLDER, what, f"move them to {FOLDER}, with `directory: {way.strip('/')}`"))
    state = _template(context, findings)
    if state is not None:
        findings += look.template_findings(state)
    teams = look.teams_of(configs, owners, way)
    settings = _settings(context, teams, findings, unseen)
    if settings is not None:
        unseen += settings.unseen
        needs = Needs(wiring=wiring(workflows), people=look.asks_people(configs), gate=GATE, teams=teams)
        findings += forge_findings(settings, needs)
    result = look.diagnosis(findings, unseen)
    problems = [Problem(where=one.where, what=one.what, fix=one.fix) for one in result.findings if one.level == "error"]
    code = 0 if result.ok else ConfigurationError.exit_code
    return Outcome(value=result.to_json(), text=str(result), code=code, problems=problems)


def _top(context: Context) -> tuple[Path, str]:
    """The repository's top, and the way from there to the project, which may be all of it."""
    repository = context.repository_if_any
    if repository is None:
        return context.directory, ""
    way = repository.from_top("")
    return Path(repository.git("rev-parse", "--show-toplevel")), way


def _configurations(context: Context, findings: list[Finding]) -> Iterator[ModelConfig]:
    """Those that can be used; of the others it is found why not."""
    from mlops_ci.config.loading import find_models, load
    from mlops_ci.pipeline.doctor import error, of_error

    paths = find_models(context.directory)
    if not paths:
        what = "there is no mlops.yaml, here or in models/*/"
        findings.append(error(str(context.directory), what, "mlops-ci init, or write one: docs/configuration.md"))
    for path in paths:
        try:
            yield load(path, root=context.directory)
        except MlopsError as known:
            findings += of_error(known)


def _codeowners(top: Path) -> tuple[str, bytes] | None:
    """The place and the content of the CODEOWNERS file that counts."""
    from mlops_ci.core.codeowners import PLACES

    for place in PLACES:
        try:
            return place, (top / place).read_bytes()
        except OSError:
            continue
    return None


def _template(context: Context, findings: list[Finding]) -> TemplateState | None:
    """How the repository stands to its template; None where it was made from none."""
    from mlops_ci import __version__
    from mlops_ci.adapters.template_update import behind, drifted, record_in
    from mlops_ci.pipeline.doctor import TemplateState, of_error

    try:
        record = record_in(context.directory)
        moved_on, drift = behind(context.directory), drifted(context.directory)
    except MlopsError as known:
        findings += of_error(known)
        return None
    if record is None:
        return None
    return TemplateState(
        kind=record.kind, was=record.toolkit, now=__version__, on_record=drift is not None, behind=moved_on or (),
        changed=drift.changed if drift else (), deleted=drift.deleted if drift else (),
    )  # fmt: skip


def _settings(
    context: Context, teams: Sequence[str], findings: list[Finding], unseen: list[Unseen]
) -> ForgeSettings | None:
    """What GitHub shows of the repository's settings; None, and a word why, where it shows nothing."""
    from mlops_ci.adapters.github_settings import GitHubSettings
    from mlops_ci.core.forge_settings import Unseen
    from mlops_ci.pipeline.doctor import of_error

    try:
        if not context.on_github:
            unseen.append(Unseen(what=SETTINGS, why=ELSEWHERE if context.on_forge else LOCAL))
            return None
        return GitHubSettings(context.github_api).read(teams=teams)
    except MlopsError as known:
        unseen.append(Unseen(what=SETTINGS, why=known.what))
        if context.environment.in_pipeline and isinstance(known, ConfigurationError):
            findings += of_error(known)  # there every command that needs the forge will stop at it
        return None


ELSEWHERE = "doctor knows the settings of GitHub alone; docs/other-forges.md says what they have to be here"

COMMANDS = (
    Command(
        name="doctor",
        help="say what is misconfigured, behind or drifted, here and on GitHub, and how to mend it",
        run=doctor,
    ),
)
