"""Evaluations as `evaluate --json` answers them, made from fixed numbers, for reports to be made of."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np

from mlops_ci.core.curves import curves
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Signature

BINARY = Signature(task="binary-classification", inputs=(), classes=("on time", "late"))


def drawn(strength: float, *, seed: int = 3, rows: int = 3000) -> dict[str, Any]:
    """The curves of a binary classifier that is as good as `strength`."""
    random = np.random.default_rng(seed)
    signal = random.normal(size=rows)
    truth = np.array(["on time", "late"], dtype=object)[(signal + random.normal(size=rows) > 0.8).astype(int)]
    scores = 1 / (1 + np.exp(-(strength * signal + random.normal(size=rows) * 0.4 - 0.8)))
    labels = np.array(["on time", "late"], dtype=object)[(scores >= 0.5).astype(int)]
    return curves(truth, Predictions(labels=labels, probabilities=np.column_stack([1 - scores, scores])), BINARY)


def limit(metric: str, value: float | None, highest: float, *, verdict: str = "ok", by: str = "") -> dict[str, Any]:
    shown = "nothing" if value is None else f"{value:.4g}"
    reason = "" if verdict == "ok" else f"{metric} is {shown}, above {highest:.4g}"
    return {"by": by, "metric": metric, "value": value, "min": None, "max": highest, "ok": verdict == "ok",
            "verdict": verdict, "reason": reason}  # fmt: skip


def one_slice(
    value: str, difference: float | None, *, verdict: str = "ok", rows: int = 400, by: str = "carrier"
) -> Any:
    known = difference is not None
    return {
        "by": by,
        "value": value,
        "metric": "roc_auc",
        "champion": 0.74 if known else None,
        "challenger": 0.74 + (difference or 0),
        "difference": difference,
        "lower": difference - 0.02 if known else None,
        "p_value": 0.2 if known else None,
        "rows": rows,
        "ok": verdict == "ok",
        "verdict": verdict,
        "reason": "" if verdict == "ok" else "roc_auc goes from 0.74 to 0.68, a drop of more than 0.02",
    }


def superior(**changes: Any) -> dict[str, Any]:
    """The challenger is better than the champion, and nothing forbids to ship it."""
    evaluation: dict[str, Any] = {
        "model": "flight-delay",
        "verdict": "superior",
        "ships": True,
        "reasons": ["superior: roc_auc 0.742 -> 0.761, a difference of +0.019 for the better"],
        "primary": {
            "metric": "roc_auc",
            "champion": 0.7421,
            "challenger": 0.7613,
            "difference": 0.0192,
            "lower": 0.0121,
            "upper": 0.0263,
            "alpha": 0.0025,
            "margin": 0.005,
            "minimum_detectable_effect": 0.0091,
            "rows": 13025,
            "rows_needed": None,
        },
        "guardrails": [
            limit("log_loss", 0.4312, 0.45),
            limit("brier_score", 0.141, 0.2),
            limit("latency_p99_ms", 0.231, 10),
        ],
        "slices": [one_slice("UA", 0.021), one_slice("DL", -0.004), one_slice("AA", 0.013, rows=2210)],
        "fairness": [],
        "looks": {"used": 3, "allowed": 20},
        "waived": [],
        "lock": "3f" * 32,
        "commit": "c0" * 20,
        "task": "binary-classification",
        "rows": {"train": 39075, "holdout": 13025},
        "seconds": 12.345,
        "champion_release": "9b" * 32,
        "champion_version": 4,
        "metrics": {
            "roc_auc": {"champion": 0.7421, "challenger": 0.7613},
            "log_loss": {"champion": 0.4502, "challenger": 0.4312},
            "brier_score": {"champion": 0.148, "challenger": 0.141},
        },
        "measures": {"latency_p99_ms": 0.231, "model_mb": 0.52},
        "parity": {"rows": 13025, "max_abs_diff": 2.98e-7, "flips": 0, "over": 0, "ok": True, "offenders": []},
        "changes": ["code train.py changed", "params train.params.max_depth 4 -> 6"],
        "curves": {"champion": drawn(0.6), "challenger": drawn(1.5)},
        "private": [],
        "notes": [],
    }
    return deepcopy({**evaluation, **changes})


def complete(**changes: Any) -> dict[str, Any]:
    """Superior, with all that an evaluation can hold."""
    evaluation = superior(
        metrics={
            "roc_auc": with_intervals(0.7421, 0.7613, 0.009, 0.0192, 0.0062),
            "log_loss": with_intervals(0.4502, 0.4312, 0.008, 0.019, 0.004),
            "brier_score": with_intervals(0.148, 0.141, 0.003, 0.007, 0.0015),
        },
        validation=[
            one_set("new-carriers", "group", 0.012),
            one_set("last-week", "time", -0.002),
        ],
        fairness=[limit("equalized_odds_difference", 0.061, 0.1, by="sex")],
        fairness_groups=[
            {
                "by": "sex",
                "groups": [
                    {"value": "f", "rows": 6120, "measures": {"selection_rate": 0.231, "true_positive_rate": 0.64}},
                    {"value": "m", "rows": 6905, "measures": {"selection_rate": 0.252, "true_positive_rate": 0.701}},
                ],
            }
        ],
        diagnostics=diagnostics(),
        data={
            "problems": [],
            "warnings": [
                {
                    "where": "data/flights.parquet column temp",
                    "what": "3.1 % of the values are missing, 0.2 % were before",
                    "fix": "find out why, or raise max_missing_change",
                    "name": "missing-rate",
                }
            ],
            "changes": [
                {"column": "temp", "what": "missing", "before": 0.002, "after": 0.031, "distance": None},
                {"column": "dest", "what": "distribution", "before": "ATL", "after": "ORD", "distance": 0.18},
            ],
        },
        parity={
            "rows": 14980,
            "max_abs_diff": 2.98e-7,
            "flips": 0,
            "over": 0,
            "ok": True,
            "offenders": [],
            "columns": [],
            "kinds": [
                {"kind": "holdout", "rows": 13025, "max_abs_diff": 2.98e-7, "flips": 0, "over": 0},
                {"kind": "threshold", "rows": 1500, "max_abs_diff": 1.1e-7, "flips": 0, "over": 0},
                {"kind": "missing", "rows": 340, "max_abs_diff": 0.0, "flips": 0, "over": 0},
                {"kind": "unseen", "rows": 115, "max_abs_diff": 6.0e-8, "flips": 0, "over": 0},
            ],
        },
        performance={
            "latency_p50_ms": 0.117,
            "latency_p99_ms": 0.231,
            "model_mb": 0.52,
            "champion_latency_p99_ms": 0.19,
            "champion_model_mb": 0.31,
        },
        card={
            "description": "Will a flight arrive more than 15 minutes late, said when it departs?",
            "owners": ["@acme/flights", "ada@acme.example"],
            "intended_use": "Ordering of rebooking offers.",
            "out_of_scope": "Compensation claims.",
            "limitations": "Airports with fewer than 200 flights a year are hardly in the data.",
            "target": "late",
            "source": "data/flights.parquet",
            "features": ["hour", "dest", "carrier", "temp", "wind_speed"],
            "classes": ["on time", "late"],
            "params": {"max_depth": 6, "learning_rate": 0.1},
            "split": "time, 20 % held out",
            "training_period": "from 2013-01-01 to 2013-10-19",
            "holdout_period": "from 2013-10-20 to 2013-12-31",
        },
    )
    return {**evaluation, **changes}


def with_intervals(champion: float, challenger: float, half: float, difference: float, half_difference: float) -> Any:
    return {
        "champion": champion,
        "challenger": challenger,
        "champion_interval": [champion - half, champion + half],
        "challenger_interval": [challenger - half, challenger + half],
        "difference": difference,
        "difference_interval": [difference - half_difference, difference + half_difference],
    }


def one_set(name: str, strategy: str, difference: float, *, verdict: str = "ok") -> dict[str, Any]:
    return {
        "name": name,
        "strategy": strategy,
        "rows": 2100,
        "metric": "roc_auc",
        "champion": 0.74,
        "challenger": 0.74 + difference,
        "difference": difference,
        "lower": difference - 0.004,
        "p_value": 0.001 if verdict != "ok" else 0.4,
        "ok": verdict == "ok",
        "verdict": verdict,
        "reason": "" if verdict == "ok" else "roc_auc goes from 0.74 to 0.729, a drop of more than 0.005",
    }


def diagnostics() -> dict[str, Any]:
    names = ("hour", "dest", "carrier", "temp", "wind_speed", "visib", "month", "weekday", "distance", "origin",
             "precip", "pressure")  # fmt: skip
    losses = (0.081, 0.043, 0.031, 0.012, 0.0091, 0.0062, 0.0051, 0.0022, 0.0011, 0.0004, 0.0, -0.0003)
    features = [
        {"name": name, "mean": loss, "lower": loss - 0.002, "upper": loss + 0.002}
        for name, loss in zip(names, losses, strict=True)
    ]
    return {
        "learning_curve": {
            "metric": "roc_auc",
            "points": [
                {"rows": 1000, "train": 0.998, "validation": 0.682},
                {"rows": 4000, "train": 0.913, "validation": 0.717},
                {"rows": 16000, "train": 0.842, "validation": 0.741},
                {"rows": 39075, "train": 0.811, "validation": 0.7613, "on": "holdout"},
            ],
        },
        "gap": {
            "metric": "roc_auc",
            "train": 0.811,
            "holdout": 0.7613,
            "reading": "overfitting",
            "text": "Overfitting: ROC AUC is 0.811 on training rows and 0.761 on the holdout.",
        },
        "importance": {"metric": "roc_auc", "rows": 3000, "features": features},
        "search": {
            "method": "halving",
            "cv": 5,
            "candidates": 12,
            "best_params": {"max_depth": 6, "learning_rate": 0.1},
            "results": [
                {"params": {"max_depth": 6, "learning_rate": 0.1}, "mean": 0.757, "std": 0.004, "rank": 1},
                {"params": {"max_depth": 4, "learning_rate": 0.1}, "mean": 0.751, "std": 0.006, "rank": 2},
            ],
            "seconds": 31.2,
        },
        "shap": {"features": [{"name": "hour", "mean_abs": 0.071}, {"name": "dest", "mean_abs": 0.038}]},
        "intervals": None,
    }


def gate_closed(**changes: Any) -> dict[str, Any]:
    """No verdict: the data gate is closed."""
    problems = [
        {
            "where": "data/flights.csv column dep_delay",
            "what": "3 of 52,100 values are missing, such as data/flights.csv line 17",
            "fix": "fill them, or write nullable: true",
            "name": "null",
        },
        {"where": "data/flights.csv", "what": "212 rows are doubled", "fix": "", "name": "duplicate-rows"},
    ]
    return {"model": "flight-delay", "failed": "check", "data": {"problems": problems}, **changes}


def compared(verdict: str, difference: float, lower: float, upper: float, **changes: Any) -> dict[str, Any]:
    """Another verdict of the comparison, with these numbers; nothing ships."""
    evaluation = superior(verdict=verdict, ships=False, reasons=[f"{verdict}: as the numbers say"])
    evaluation["primary"] |= {
        "challenger": 0.7421 + difference,
        "difference": difference,
        "lower": lower,
        "upper": upper,
        "rows_needed": changes.pop("rows_needed", None),
    }
    return {**evaluation, **changes}


def first(**changes: Any) -> dict[str, Any]:
    """There is no champion yet."""
    nothing = dict.fromkeys(("champion", "difference", "lower", "upper", "minimum_detectable_effect"))
    evaluation = superior(
        verdict="first",
        reasons=["first: there is no champion, so there is nothing to compare with"],
        champion_release=None,
        champion_version=None,
        looks={"used": 0, "allowed": 20},
        changes=[],
        slices=[one_slice("UA", None), one_slice("DL", None)],
        curves={"champion": None, "challenger": drawn(1.5)},
    )
    evaluation["primary"] |= nothing
    for values in evaluation["metrics"].values():
        values["champion"] = None
    return {**evaluation, **changes}


def blocked(**changes: Any) -> dict[str, Any]:
    """Better on the whole, but a limit is broken and some rows are worse off."""
    evaluation = superior(
        verdict="guardrail",
        ships=False,
        reasons=[
            "guardrail: log_loss is 0.52, above 0.45",
            "slice-regression: carrier UA: roc_auc goes from 0.74 to 0.68, a drop of more than 0.02",
            "superior: roc_auc 0.742 -> 0.761, a difference of +0.019 for the better",
        ],
        guardrails=[limit("brier_score", 0.141, 0.2), limit("log_loss", 0.52, 0.45, verdict="guardrail")],
        slices=[one_slice("DL", 0.01), one_slice("UA", -0.06, verdict="slice-regression")],
        waived=[
            {
                "verdict": "fairness",
                "reason": "measured on too old a census, see the ticket",
                "approver": "ada",
                "expires": "2027-01-31",
                "findings": ["sex: equalized_odds_difference is 0.14, above 0.1"],
            }
        ],
        validation=[one_set("last-week", "time", -0.011, verdict="validation-regression")],
        data={"problems": [{"where": "data/flights.parquet column temp", "what": "3 % are missing", "fix": ""}]},
        notes=["Judged with 2,000 resamples."],
    )
    return {**evaluation, **changes}


HOSTILE = (
    "<script>alert(1)</script>",
    "</td></table><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "a|b|c",
    "`code` ```",
    "@acme/everybody #1 GH-2 acme/app#3",
    "[click](https://evil.example) https://evil.example www.evil.example ![i](http://evil.example/i.png)",
    "two\nlines\r\n\n# heading\n- list",
    "\u202eright to left\u202c\u200b",
    "{{ 7 * 7 }} {% raw %} ${x} $\\frac{1}{2}$",
    "--> <!-- &lt;b&gt; &amp; \x00\x1b[31m",
    "\ud800 lone surrogate",
    "long " * 400,
)


def hostile(text: str) -> dict[str, Any]:
    """Everything that a stranger may have written holds `text`."""
    evaluation = blocked()
    evaluation["model"] = text
    evaluation["reasons"] = [f"guardrail: {text}", f"slice-regression: carrier {text}: {text}", f"superior: {text}"]
    evaluation["slices"] = [one_slice(text, -0.06, verdict="slice-regression", by=text), one_slice(text, None)]
    evaluation["changes"] = [f"params {text} -> {text}"]
    evaluation["notes"] = [text]
    evaluation["waived"] = [
        {"verdict": "parity", "reason": text, "approver": text, "expires": "2027-01-31", "findings": [text]}
    ]
    evaluation["data"] = {"problems": [{"where": text, "what": text, "fix": text}]}
    evaluation["guardrails"] = [limit(text, 1.0, 0.5, verdict="guardrail", by=text)]
    evaluation["metrics"] = {text: {"champion": 1.0, "challenger": 2.0}}
    evaluation["commit"] = evaluation["lock"] = evaluation["champion_release"] = text
    confusion = {"labels": [text, "b"], "counts": [[1, 0], [0, 1]]}
    drawn_of_it = {"task": "multiclass-classification", "rows": 2, "dropped": 0, "confusion": confusion}
    evaluation["curves"] = {"champion": None, "challenger": {**drawn_of_it, "calibration": []}}
    return evaluation


def loss(**changes: Any) -> dict[str, Any]:
    """A regression, judged by a metric of which less is better, in the thousands."""
    random = np.random.default_rng(8)
    actual = random.normal(250_000, 60_000, 2000)
    signature = Signature(task="regression", inputs=())
    both = {
        who: curves(actual, Predictions(values=actual + random.normal(0, spread, 2000)), signature)
        for who, spread in (("champion", 24_000), ("challenger", 21_000))
    }
    evaluation = superior(model="house-prices", task="regression", guardrails=[], slices=[], curves=both)
    evaluation["primary"] |= {
        "metric": "rmse",
        "champion": 24_113.2,
        "challenger": 21_020.7,
        "difference": 3092.5,
        "lower": 2140.1,
        "upper": 4044.9,
        "margin": 250.0,
        "minimum_detectable_effect": 1180.4,
    }
    evaluation["metrics"] = {
        "rmse": {"champion": 24_113.2, "challenger": 21_020.7},
        "r2": {"champion": 0.84, "challenger": 0.88},
    }
    return {**evaluation, **changes}
