"""Shows people what the run of a pull request found: a comment and a check, of numbers that nobody has checked.

The run was of the pull request's own code, so what it handed over is data of somebody unknown. Which pull request it
belongs to is said by GitHub alone; the words around the numbers are ours; every text of others is shown as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_ci.core import strict_json
from mlops_ci.core.layout import is_name
from mlops_ci.core.naming import shown_name
from mlops_ci.core.verdicts import DECISIONS
from mlops_ci.errors import IntegrityError
from mlops_ci.pipeline import wording
from mlops_ci.pipeline.evaluate import WITHHELD
from mlops_ci.pipeline.evaluation_view import Evaluation
from mlops_ci.pipeline.markdown import escaped, visible
from mlops_ci.pipeline.report import render_comment
from mlops_ci.pipeline.reported import reported
from mlops_ci.ports import Forge, PullRequest
from mlops_ci.ports.handover import HandedOver
from mlops_ci.ports.publishing import Annotation, Conclusion, Order, Publisher

MOST_MODELS, LARGEST, LARGEST_OF_ALL = 10_000, 4 << 20, 128 << 20
MOST_ANNOTATIONS, LONGEST = 100, 2_000
_LINE = re.compile(r"(?P<path>[^\s:]{1,300})(?::| line )(?P<line>[1-9]\d{0,6})")
_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class PullRequestRun:
    """A finished run of a workflow, as GitHub's event tells of it: the commit and branch that it was made of.

    `owner` has the repository of that branch, which is a `fork` where it is not ours.
    """

    order: Order
    workflow: str
    commit: str
    branch: str
    owner: str
    fork: bool
    url: str


@dataclass(frozen=True, kw_only=True)
class Found:
    """The evaluations that can be shown, and (file, why) of what cannot."""

    evaluations: Sequence[Evaluation]
    refused: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Published:
    """`outcome` is `published`; `outdated` where no open pull request shows that commit; `nothing` to be shown."""

    outcome: str
    pull_request: PullRequest | None = None
    comment: str = ""
    check: str = ""
    body: str = ""


def read_reports(handed: HandedOver) -> Found:
    """Every `<model>.json`; other files are none of ours. Raises IntegrityError where there is too much of it."""
    evaluations: list[Evaluation] = []
    refused: list[tuple[str, str]] = []
    read = 0
    for file in handed.names("", MOST_MODELS):
        model = file.removesuffix(".json")
        if model == file:
            continue
        try:
            if not is_name(model):
                raise ValueError("its name is none of a model")
            data = handed.read(file, LARGEST)
            read += len(data)
            evaluation = reported(strict_json.parse(data))
            if evaluation["model"] != model:
                raise ValueError("it is about another model than its name says")
            evaluations.append(evaluation)
        except (ValueError, IntegrityError) as error:
            refused.append((shown_name(file), visible(error.what if isinstance(error, IntegrityError) else error)))
        if read > LARGEST_OF_ALL:
            raise IntegrityError(f"the evaluations have more than {LARGEST_OF_ALL} bytes together")
    return Found(evaluations=evaluations, refused=refused)


def publish(run: PullRequestRun, found: Found, *, forge: Forge, publisher: Publisher) -> Published:
    """Shows it on the open pull request whose head is the run's commit; where there is none, nowhere.

    A run that began before one that has been shown changes nothing. Raises what the forge raises.
    """
    if not found.evaluations and not found.refused:
        return Published(outcome="nothing")
    pull = forge.pull_request_of(run.commit, run.branch, run.owner)
    if pull is None or pull.branch != (f"{run.owner}:{run.branch}" if run.fork else run.branch):
        return Published(outcome="outdated")
    evaluations = [_believed(evaluation, run) for evaluation in found.evaluations]
    body = _body(run, evaluations, found.refused)
    key = f"mlops-ci/{visible(run.workflow, longest=100)}"
    comment = publisher.comment(pull.number, key=key, body=body, order=run.order)
    check = publisher.check(
        run.commit,
        name=key,
        conclusion=_conclusion(evaluations, found.refused),
        title=_title(evaluations, found.refused),
        summary=body,
        annotations=list(_annotations(evaluations))[:MOST_ANNOTATIONS],
    )
    return Published(outcome="published", pull_request=pull, comment=comment, check=check, body=body)


def _believed(evaluation: Evaluation, run: PullRequestRun) -> Evaluation:
    """The evaluation without what this run cannot know: nobody shows a fork what serves, whatever it says of that."""
    if not wording.failed(evaluation) and (run.fork or evaluation.get("withheld")):
        unknown = ("champion", "difference", "lower", "upper", "minimum_detectable_effect", "rows_needed")
        primary = {**evaluation["primary"], **dict.fromkeys(unknown)}
        verdict = "not-compared" if evaluation["verdict"] in DECISIONS else evaluation["verdict"]
        nobody = {"champion_release": None, "champion_version": None}
        return {
            **evaluation, **nobody, "primary": primary, "verdict": verdict, "ships": False, "withheld": WITHHELD,
        }  # fmt: skip
    return evaluation


def _body(run: PullRequestRun, evaluations: Sequence[Evaluation], refused: Sequence[tuple[str, str]]) -> str:
    lines = [render_comment(evaluations, title="mlops-ci").rstrip()]
    if refused:
        many = "1 evaluation" if len(refused) == 1 else f"{len(refused)} evaluations"
        lines += ["", f"**Not shown**, since what the run handed over is no evaluation of ours: {many}", ""]
        lines += [f"- {escaped(file)}: {escaped(why)}" for file, why in refused[:_SHOWN]]
    fork = " of a fork" if run.fork else ""
    lines += [
        "",
        "---",
        f"<sub>Of commit {escaped(run.commit[:12])}, by [this run]({run.url}) of the pull request's own code{fork}. "
        "Nobody has checked these numbers, and nothing is decided by them: after a merge the model is judged again, by "
        "code of main alone.</sub>",
        "",
    ]
    return "\n".join(lines)


def _conclusion(evaluations: Sequence[Evaluation], refused: Sequence[tuple[str, str]]) -> Conclusion:
    if refused or any(wording.tone(evaluation) == "bad" for evaluation in evaluations):
        return "failure"
    return "success" if all(evaluation["ships"] for evaluation in evaluations) else "neutral"


def _title(evaluations: Sequence[Evaluation], refused: Sequence[tuple[str, str]]) -> str:
    """The outcomes, counted: `2 Blocked, 1 May ship`."""
    labels = [wording.label(evaluation) for evaluation in evaluations] + ["Not shown"] * len(refused)
    return ", ".join(f"{labels.count(label)} {label}" for label in dict.fromkeys(labels))


def _annotations(evaluations: Sequence[Evaluation]) -> Iterator[Annotation]:
    """The problems that stand in a line of a file."""
    for evaluation in evaluations:
        data = evaluation.get("data") or {}
        for level, problems in (("failure", data.get("problems", ())), ("warning", data.get("warnings", ()))):
            for problem in problems:
                found = _LINE.fullmatch(problem["where"])
                if found and _is_path(found["path"]):
                    yield _annotation(found["path"], int(found["line"]), level, problem, evaluation["model"])


def _annotation(path: str, line: int, level: Any, problem: Mapping[str, Any], model: str) -> Annotation:
    message = ". ".join(visible(problem[part], longest=LONGEST) for part in ("what", "fix") if problem[part])
    return Annotation(path=path, line=line, level=level, message=message or "no word about it", title=visible(model))


def _is_path(path: str) -> bool:
    return path.isprintable() and not any(part in ("", ".", "..") for part in path.split("/"))
