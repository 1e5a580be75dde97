"""An evaluation in words that somebody understands who has never read its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, floor, isfinite, log10
from typing import Any

from mlops_ci.core.metrics import oriented
from mlops_ci.core.verdicts import BLOCKING

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EM DASH}"
MOST_DECIMALS = 6

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
    "inferior": "Nothing has to be done: production keeps what it has. Close the pull request, or improve the model.",
    "inconclusive": "Production keeps what it has. Judge it on more holdout rows, or look for a larger improvement.",
    "non-inferior": "Production keeps what it has, because the policy asks for a better model, not an equal one.",
}


def metric_name(name: str) -> str:
    return METRIC_NAMES.get(name, name)


def sentence(evaluation: Mapping[str, Any]) -> str:
    """The verdict in one or two sentences: what is better or worse, by how much, how sure, and what becomes of it."""
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
    }
    return words.get(verdict, f"{verdict}: {effect} (margin {margin}). {end}")


def label(evaluation: Mapping[str, Any]) -> str:
    """The outcome in a word or two, for a badge."""
    if evaluation["ships"]:
        return "May ship"
    return "Blocked" if evaluation["verdict"] in BLOCKING else "Champion stays"


def tone(evaluation: Mapping[str, Any]) -> str:
    """`good`, `neutral` or `bad`: to keep the champion is an ordinary outcome and not bad."""
    if evaluation["ships"]:
        return "good"
    return "bad" if evaluation["verdict"] in BLOCKING else "neutral"


def next_step(evaluation: Mapping[str, Any]) -> str:
    """What somebody can do about it; empty where it may ship."""
    return "" if evaluation["ships"] else NEXT_STEPS.get(evaluation["verdict"], "")


def reason_texts(evaluation: Mapping[str, Any]) -> list[str]:
    """The blocking reasons without the verdicts' names in front."""
    found = (reason.partition(": ") for reason in evaluation["reasons"])
    return [text for verdict, _, text in found if verdict in BLOCKING]


def number(value: float | None, decimals: int | None = None) -> str:
    """Four significant digits, or so many decimals; a real minus sign.

    >>> number(0.74213), number(1234.5), number(0.5, 2), number(-2) == MINUS + "2.000"
    ('0.7421', '1,234', '0.50', True)
    """
    if value is None or not isfinite(value):
        return NOTHING
    if decimals is None:
        decimals = max(0, 3 - floor(log10(abs(value)))) if value else 0
        decimals = min(decimals, MOST_DECIMALS)
        if value and abs(value) < 10**-MOST_DECIMALS:
            return f"{value:.1e}".replace("-", MINUS)
    text = f"{value:,.{decimals}f}"
    return text.replace("-", MINUS)


def plain(value: float) -> str:
    """A number that somebody wrote down, as short as it was.

    >>> plain(0.45), plain(10.0), plain(0.005)
    ('0.45', '10', '0.005')
    """
    return f"{value:,.6g}".replace("-", MINUS)


def count(value: int | None) -> str:
    return NOTHING if value is None else f"{value:,}"


def change(value: float | None, metric: str, decimals: int) -> str:
    """A difference for which positive is better: a signed number, or in words where less of the metric is better.

    >>> change(0.019, "roc_auc", 3), change(0.019, "log_loss", 3), change(-0.00001, "roc_auc", 3)
    ('+0.019', '0.019 better', 'just below 0')
    """
    if value is None or not isfinite(value):
        return NOTHING
    rounds_away = value != 0 and round(abs(value), decimals) == 0
    if oriented(metric, 1.0) > 0:
        if rounds_away:
            return "just above 0" if value > 0 else "just below 0"
        return f"{'+' if value > 0 else MINUS if value < 0 else '±'}{abs(value):,.{decimals}f}"
    if value == 0:
        return "no change"
    size = "slightly" if rounds_away else f"{abs(value):,.{decimals}f}"
    return f"{size} {'better' if value > 0 else 'worse'}"


def decimals_for(primary: Mapping[str, Any]) -> int:
    """For a comparison, of all rows or a slice: as many as show two digits of it; at least three of a share."""
    sizes = [abs(primary[key]) for key in ("difference", "lower", "upper") if primary.get(key)]
    values = [abs(primary[key]) for key in ("champion", "challenger") if primary[key] is not None]
    fewest = 3 if all(value <= 1 for value in values) else 0
    if not sizes:
        sizes = values
    wanted = 1 - floor(log10(sorted(sizes)[len(sizes) // 2])) if sizes and max(sizes) > 0 else fewest
    return min(max(wanted, fewest), MOST_DECIMALS)


def confidence(alpha: float) -> str:
    """How sure one may be of a one-sided bound.

    >>> confidence(0.05), confidence(0.0025)
    ('95 %', '99.75 %')
    """
    return f"{100 * (1 - alpha):.4g} %"


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
