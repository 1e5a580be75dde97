"""What the evidence of a rollout amounts to: reasons to abort it, and what could not be judged."""

from __future__ import annotations

from mlops_ci.core.rollout_evidence import ALONE_SHARE, DISAGREEMENT, FEWEST, SLOW_LOOKS, Evidence, Standard
from mlops_ci.core.rollout_plan import Stage
from mlops_ci.core.sequential import e_value
from mlops_ci.core.shift import FEWEST_ROWS, moved_answers


def reasons_against(evidence: Evidence, standard: Standard) -> list[str]:
    """Why the new release shall not go on; empty where nothing speaks against it."""
    return [
        *_errors(evidence, standard.alpha),
        *_latency(evidence, standard),
        *_answers(evidence, standard),
        *moved_answers(evidence.replay, standard.expected, alpha=standard.alpha, classes=standard.classes),
    ]


def not_judged(evidence: Evidence, standard: Standard, stage: Stage) -> list[str]:
    """What the live traffic of this stage, and the rows replayed so far, are too little for."""
    alone = stage.share == 100
    new, stable = evidence.new_here, evidence.stable_here
    requests = new.requests if alone else min(new.requests, stable.requests)
    timed = new.timed if alone else min(new.timed, stable.timed)
    expected = standard.expected
    lines = [
        f"{what} were compared on {count} live requests, fewer than {FEWEST}"
        for what, count in (("errors", requests), ("latencies", timed), ("answers", evidence.replay.rows))
        if count < FEWEST
    ]
    if standard.bound is None:
        lines.append("latency: nothing that the router counts is twice as slow as stable has been")
    elif timed >= FEWEST and evidence.looks < SLOW_LOOKS:
        lines.append(f"latency: a slow release cannot be told from a pause in fewer than {SLOW_LOOKS} looks")
    if not expected.rows:
        lines.append("the evaluation does not say how often answers should differ from production's")
    elif standard.differing > expected.differing / expected.rows + DISAGREEMENT:
        lines.append(f"answers may differ in up to {standard.differing:.0%}: only {expected.rows} rows were evaluated")
    if expected.difference.rows < FEWEST_ROWS:
        rows = expected.difference.rows
        lines.append(f"whether answers move to one side: only {rows} golden rows to compare with")
    return lines


def _errors(evidence: Evidence, alpha: float) -> list[str]:
    new, stable, here = evidence.new, evidence.stable, evidence.new_here
    found = []
    if _proven(evidence, "errors", alpha):
        found.append(
            f"{new.errors} of {new.requests} live requests failed, and {stable.errors} of {stable.requests} on stable"
        )
    if _proven(evidence, "errors-alone", alpha):
        found.append(
            f"{here.errors} of {here.requests} live requests failed, more than "
            f"{evidence.allowed_alone('errors'):.1%}; stable has no traffic to compare with"
        )
    return found


def _latency(evidence: Evidence, standard: Standard) -> list[str]:
    """A slow release is one that is slow again and again, in more than one in a hundred requests of this stage."""
    new, stable, here = evidence.new, evidence.stable, evidence.new_here
    if evidence.slow_looks < SLOW_LOOKS or here.slow <= ALONE_SHARE * here.timed:
        return []
    found = []
    if _proven(evidence, "latency", standard.alpha):
        found.append(
            f"{new.slow} of {new.timed} live requests took longer than {standard.bound:g} ms, and "
            f"{stable.slow} of {stable.timed} on stable"
        )
    if _proven(evidence, "latency-alone", standard.alpha):
        found.append(
            f"{here.slow} of {here.timed} live requests took longer than {standard.bound:g} ms, more than "
            f"{evidence.allowed_alone('latency'):.1%}; stable has no traffic to compare with"
        )
    return found


def _answers(evidence: Evidence, standard: Standard) -> list[str]:
    replay, expected = evidence.replay, standard.expected
    found = []
    if replay.failed:
        found.append(f"{replay.failed} of {replay.rows} replayed rows that stable answers get no finite answer")
    if _proven(evidence, "answers", standard.alpha / 2):
        found.append(
            "answers differ from production in a way that the evaluation did not show: in "
            f"{replay.differing / replay.rows:.1%} of {replay.rows} replayed rows, and in "
            f"{expected.differing / expected.rows:.1%} of {expected.rows} evaluated ones"
        )
    return found


def _proven(evidence: Evidence, test: str, alpha: float) -> bool:
    return e_value(evidence.bets[test]) >= 1 / alpha
