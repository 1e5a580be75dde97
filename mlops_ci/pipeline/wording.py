"""An evaluation in words that somebody understands who has never read its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from mlops_ci.core.verdicts import BLOCKING
from mlops_ci.pipeline.figures import change, count, decimals_for, number, plain

METRIC_NAMES: Mapping[str, str] = {
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
    "log_loss": "Log loss",
    "brier_score": "Brier score",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "f1": "F1",
    "macro_f1": "Macro F1",
    "precision": "Precision",
    "recall": "Recall",
    "mae": "MAE",
    "rmse": "RMSE",
    "r2": "R²",
    "median_absolute_error": "Median absolute error",
    "mape": "MAPE",
    "calibration_error": "Calibration error",
    "latency_p99_ms": "Latency p99 (ms)",
    "model_mb": "Model size (MB)",
    "image_mb": "Image size (MB)",
}

BLOCKED_BECAUSE: Mapping[str, str] = {
    "leakage": "training rows are in the holdout, so the numbers mean nothing",
    "schema-changed": "the data are no longer those that the champion takes",
    "parity": "the ONNX graph, which would serve, does not answer as the trained model does",
    "champion-unloadable": "what serves in production could not be scored, so there is nothing to compare with",
    "holdout-exhausted": "this holdout has judged too many challengers to be trusted once more",
    "metric-missing": "something that the policy asks for was not measured",
    "metric-not-finite": "something that the policy asks for has no finite value",
    "slice-too-small": "a slice of the data has too few rows to be judged",
    "worse-than-baseline": "a model that looks at no feature does as well",
    "guardrail": "a declared limit is broken",
    "slice-regression": "it is worse for some of the rows",
    "fairness": "it treats groups more differently than is allowed",
    "validation-regression": "it is worse on one of the named validation sets",
    "validation-too-small": "a named validation set has too few rows to be judged",
    "group-too-small": "a group of people or things has too few rows for its fairness to be judged",
}

FAILED_BECAUSE: Mapping[str, str] = {
    "check": "The data gate is closed, so nothing was trained",
    "error": "It could not be judged",
}

PARITY_KINDS: Mapping[str, str] = {
    "holdout": "of the holdout",
    "threshold": "at thresholds of its trees",
    "missing": "with missing values",
    "unseen": "with unseen categories",
    "extreme": "with extreme numbers",
    "empty": "with empty texts",
}

CHANGED: Mapping[str, str] = {
    "code": "Code",
    "data": "Data",
    "params": "Parameters",
    "environment": "Environment",
    "": "Other",
}

NEXT_STEPS: Mapping[str, str] = {
    "leakage": "Remove the shared rows, or split by group or by time (`split.strategy`), and train again.",
    "schema-changed": "Bring the columns or classes back, or waive `schema-changed` on the record for this one change.",
    "parity": "See the rows that differ, and use one of the estimators or settings that convert faithfully.",
    "champion-unloadable": "Repair or roll back what serves, or waive `champion-unloadable` on the record.",
    "holdout-exhausted": "Bring fresh holdout data; a larger `gate.looks` makes every comparison stricter.",
    "metric-missing": "Measure it, or take it out of the gate in `mlops.yaml`.",
    "metric-not-finite": "Look at the holdout: one class only, too few groups, or a model that answers no numbers.",
    "slice-too-small": "Add holdout rows for this slice, or lower its `min_rows` in `mlops.yaml`.",
    "worse-than-baseline": "The model has learnt nothing: look at the features, the target and the parameters.",
    "guardrail": "Improve the model until it keeps the limit, or change it in `mlops.yaml` in a reviewed commit.",
    "slice-regression": "Look at the slices below: what is different about these rows?",
    "fairness": "Look at the groups below, or change the limit in `mlops.yaml` in a reviewed commit.",
    "validation-regression": "Look at the validation sets below: what is different about these rows?",
    "validation-too-small": "Give the set a larger share in `split.validation`, or lower its `min_rows`.",
    "group-too-small": "Add holdout rows of this group, or lower its `min_rows` in `mlops.yaml`.",
    "check": "Mend the data, or `data.schema.yaml` where it asks for too much, and push again.",
    "error": "See the message; where an outside system failed, run it again.",
    "inferior": "Nothing has to be done: production keeps what it has. Close the pull request, or improve the model.",
    "inconclusive": "Production keeps what it has. Judge it on more holdout rows, or look for a larger improvement.",
    "not-compared": "Nothing has to be done: whoever merges it has it judged in full, beside what serves, at release.",
    "non-inferior": "Production keeps what it has, because the policy asks for a better model, not an equal one.",
}


def metric_name(name: str) -> str:
    return METRIC_NAMES.get(name, name)


def sentence(evaluation: Mapping[str, Any]) -> str:
    """The verdict in one or two sentences: what is better or worse, by how much, how sure, and what becomes of it."""
    if failed(evaluation):
        return _failure(evaluation)
    primary, verdict = evaluation["primary"], evaluation["verdict"]
    effect = f"{metric_name(primary['metric'])} {_effect(primary)}"
    end = _outcome(evaluation)
    if verdict in BLOCKING:
        text = reason_texts(evaluation)[:1]
        because = BLOCKED_BECAUSE.get(verdict, verdict)
        return f"Blocked: {because}{f' ({text[0]})' if text else ''}. {end}"
    if verdict == "first":
        return (
            f"The first model: there is nothing in production yet to compare it with. {effect} on "
            f"{count(primary['rows'])} holdout rows. {end}"
        )
    lower, upper, margin = (_change(primary, key) for key in ("lower", "upper", "margin"))
    words = {
        "superior": f"Better than what serves in production: {effect} (at least {lower}). {end}",
        "non-inferior": f"As good as what serves in production, give or take {plain(primary['margin'])}: {effect} "
        f"(at least {lower}). {end}",
        "inconclusive": f"Too close to call: {effect} (between {lower} and {upper}). {_more_rows(primary)}{end}",
        "inferior": f"Worse than what serves in production: {effect} (at best {upper}). {end}",
        "not-compared": f"It keeps the declared limits, and was not compared with what serves in production: {effect} "
        f"on {count(primary['rows'])} holdout rows. {end}",
    }
    return words.get(verdict, f"{verdict}: {effect} (margin {margin}). {end}")


def caution(evaluations: Sequence[Mapping[str, Any]]) -> str:
    """What has to be said before any number: that, and why, models were judged without their champions."""
    reasons = {str(one["withheld"]) for one in evaluations if one.get("withheld")}
    return f"Judged without the champion: {'; '.join(sorted(reasons))}." if reasons else ""


def failed(evaluation: Mapping[str, Any]) -> str:
    """The step at which it ended before there was a verdict; empty where there is one."""
    return "" if "verdict" in evaluation else str(evaluation.get("failed") or "error")


def verdict(evaluation: Mapping[str, Any]) -> str:
    """The gate's verdict, or what kept it from giving one."""
    return {"check": "data gate", "error": "error"}.get(failed(evaluation), "") or str(evaluation.get("verdict"))


def label(evaluation: Mapping[str, Any]) -> str:
    """The outcome in a word or two, for a badge."""
    if failed(evaluation):
        return "Failed"
    if evaluation["ships"]:
        return "May ship"
    if evaluation["verdict"] in BLOCKING:
        return "Blocked"
    return "Not compared" if evaluation["verdict"] == "not-compared" else "Champion stays"


def tone(evaluation: Mapping[str, Any]) -> str:
    """`good`, `neutral` or `bad`: to keep the champion is an ordinary outcome and not bad."""
    if failed(evaluation):
        return "bad"
    if evaluation["ships"]:
        return "good"
    return "bad" if evaluation["verdict"] in BLOCKING else "neutral"


def next_step(evaluation: Mapping[str, Any]) -> str:
    """What somebody can do about it; empty where it may ship."""
    if failed(evaluation):
        return NEXT_STEPS.get(failed(evaluation), "")
    return "" if evaluation["ships"] else NEXT_STEPS.get(evaluation["verdict"], "")


def reason_texts(evaluation: Mapping[str, Any]) -> list[str]:
    """The blocking reasons without the verdicts' names in front."""
    found = (reason.partition(": ") for reason in evaluation.get("reasons", ()))
    return [text for verdict, _, text in found if verdict in BLOCKING]


def parity_kind(kind: str) -> str:
    """What the rows of a kind of parity check are."""
    return PARITY_KINDS.get(kind, f"of kind {kind}")


def changed(lines: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The lines of what changed by what they are about, without the word that says so; no empty heading.

    >>> changed(["params depth 4 -> 6", "code train.py changed"])
    [('Code', ['train.py changed']), ('Parameters', ['depth 4 -> 6'])]
    """
    found: dict[str, list[str]] = {kind: [] for kind in CHANGED}
    for line in lines:
        kind, _, rest = line.partition(" ")
        known = kind in found and rest
        found[kind if known else ""].append(rest if known else line)
    return [(CHANGED[kind], texts) for kind, texts in found.items() if texts]


def _failure(evaluation: Mapping[str, Any]) -> str:
    problems = list((evaluation.get("data") or {}).get("problems", ()))
    because = FAILED_BECAUSE.get(failed(evaluation), f"It ended at {failed(evaluation)}")
    how_many = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return f"{because}: {how_many}." if problems else f"{because}."


def _effect(primary: Mapping[str, Any]) -> str:
    decimals = decimals_for(primary)
    challenger = number(primary["challenger"], decimals)
    if primary["champion"] is None or primary["difference"] is None:
        return challenger
    champion = number(primary["champion"], decimals)
    return f"{champion} → {challenger}, {change(primary['difference'], primary['metric'], decimals)}"


def _change(primary: Mapping[str, Any], key: str) -> str:
    return change(primary[key], primary["metric"], decimals_for(primary))


def _more_rows(primary: Mapping[str, Any]) -> str:
    if primary["rows_needed"] is None:
        return ""
    needed = primary["rows_needed"]
    rounded = ceil(needed / 10 ** max(0, len(str(needed)) - 2)) * 10 ** max(0, len(str(needed)) - 2)
    return f"About {count(rounded)} holdout rows would decide; there are {count(primary['rows'])}. "


def _outcome(evaluation: Mapping[str, Any]) -> str:
    if evaluation["ships"]:
        return "It may ship."
    return (
        "It does not ship; production keeps what it has." if evaluation.get("champion_release") else "It does not ship."
    )
