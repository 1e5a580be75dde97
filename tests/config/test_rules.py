"""Each rule over values that the schema allows: what it says, and that it keeps quiet where a part is wrong already."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_ci.config.rules import MODEL_RULES
from mlops_ci.config.validation import Rule

BINARY, MULTICLASS, REGRESSION = "binary-classification", "multiclass-classification", "regression"
Case = tuple[str, dict[str, Any], list[str]]


def environments(**keys: Any) -> dict[str, Any]:
    return {"environments": {"p": keys}}


def guardrails(*items: Any) -> dict[str, Any]:
    return {"task": BINARY, "gate": {"guardrails": list(items)}}


def waived(expires: str | None) -> dict[str, Any]:
    return {"gate": {"waivers": [{"expires": expires}]}}


CASES: list[Case] = [
    *[
        ("metrics_suit_the_task", {"task": task, "gate": {"primary": {"metric": metric}}}, said)
        for task, metric, said in [
            (BINARY, "roc_auc", []),
            (BINARY, "brier_score", []),
            (MULTICLASS, "macro_f1", []),
            (REGRESSION, "rmse", []),
            (BINARY, "macro_f1", ["gate.primary.metric is 'macro_f1', which does not suit the task " + BINARY]),
            (MULTICLASS, "f1", ["gate.primary.metric is 'f1', which does not suit the task " + MULTICLASS]),
            (REGRESSION, "accuracy", ["gate.primary.metric is 'accuracy', which does not suit the task regression"]),
            (BINARY, None, []),
            (None, "rmse", []),
        ]
    ],
    ("metrics_suit_the_task", guardrails({"metric": "latency_p99_ms"}, None, {"metric": None}), []),
    (
        "metrics_suit_the_task",
        guardrails({"metric": "log_loss"}, {"metric": "mae"}),
        ["gate.guardrails[1].metric is 'mae', which does not suit the task binary-classification"],
    ),
    (
        "metrics_suit_the_task",
        {"task": REGRESSION, "gate": {"slices": [{"by": "a"}, {"by": "b", "metric": "recall"}], "fairness": [{}]}},
        [
            "gate.slices[1].metric is 'recall', which does not suit the task regression",
            "gate.fairness compares decisions, which regression does not make",
        ],
    ),
    ("metrics_suit_the_task", {"task": BINARY, "gate": None}, []),
    ("guardrails_have_a_limit", guardrails({"metric": "f1", "min": 0.1}, {"metric": "f1", "max": 0}, None), []),
    ("guardrails_have_a_limit", guardrails({"metric": "f1", "min": 0.5, "max": 0.5}), []),
    ("guardrails_have_a_limit", guardrails({"metric": "f1", "max": None}), []),
    (
        "guardrails_have_a_limit",
        guardrails({"metric": "f1"}, {"metric": "f1", "min": 2, "max": 1}),
        [
            "gate.guardrails[0] has neither min nor max, so it guards nothing",
            "gate.guardrails[1] has min 2 above max 1, which nothing can pass",
        ],
    ),
    ("split_has_what_it_needs", {"split": {"strategy": "time"}, "data": {"time": "t"}}, []),
    ("split_has_what_it_needs", {"split": {"strategy": "time"}, "data": {"time": None}}, []),
    ("split_has_what_it_needs", {"split": {"strategy": "time"}, "data": None}, []),
    ("split_has_what_it_needs", {"split": {"strategy": "random"}, "data": {}}, []),
    ("split_has_what_it_needs", {"split": {"strategy": "stratified"}, "task": MULTICLASS}, []),
    (
        "split_has_what_it_needs",
        {"split": {"strategy": "time"}, "data": {"group": "g"}},
        ["split.strategy is 'time', but data.time names no column"],
    ),
    (
        "split_has_what_it_needs",
        {"split": {"strategy": "group"}, "data": {"time": "t"}},
        ["split.strategy is 'group', but data.group names no column"],
    ),
    (
        "split_has_what_it_needs",
        {"split": {"strategy": "stratified"}, "task": REGRESSION},
        ["split.strategy is 'stratified', which needs classes, but the task is regression"],
    ),
    ("columns_play_one_part", {"data": {"target": "y", "id": "i", "time": "t", "group": "g"}}, []),
    ("columns_play_one_part", {"data": {"target": "y", "time": "day", "group": "day", "features": ["day"]}}, []),
    ("columns_play_one_part", {"data": {"target": None, "id": None, "features": [None, "a"]}}, []),
    (
        "columns_play_one_part",
        {"data": {"target": "y", "id": "y", "time": "y"}},
        [
            "data.target and data.id are both the column 'y'",
            "data.target and data.time are both the column 'y'",
            "data.id and data.time are both the column 'y'",
        ],
    ),
    (
        "columns_play_one_part",
        {"data": {"target": "y", "id": "i", "features": ["a", "y", "i"]}},
        [
            "data.features[1] is 'y', which is the target and must not be learnt from",
            "data.features[2] is 'i', which is the id and must not be learnt from",
        ],
    ),
    *[
        ("source_is_within_reach", {"data": {"source": source}}, [])
        for source in ("a.csv", "../data/*.parquet", "/srv/a.csv", "s3://b/k", "az://c/k", "gs://b/k", "a.dvc", None)
    ],
    (
        "source_is_within_reach",
        {"data": {"source": "https://example.org/a.csv"}},
        ["data.source begins with unknown 'https://'"],
    ),
    *[
        ("entrypoints_are_importable_names", {"train": {"entrypoint": entrypoint}}, [])
        for entrypoint in ("train:build_model", "pkg.sub.train:build", "entraînement:modèle", None)
    ],
    *[
        (
            "entrypoints_are_importable_names",
            {"data": {"prepare": written}},
            [f"data.prepare is '{written}', but '{part}' is not a name that Python can import"],
        )
        for written, part in [
            ("features.py:prepare", "features.py"),
            ("src/features:prepare", "src/features"),
            ("my-features:prepare", "my-features"),
            ("features:2fast", "2fast"),
            ("features:class", "class"),
            ("a..b:f", ""),
            ("a:b:c", "b:c"),
        ]
    ],
    *[
        ("rollouts_rise_to_all_traffic", environments(rollout={"steps": steps}), [])
        for steps in ([100], [10, 50, 100], [None, 100], None)
    ],
    *[
        (
            "rollouts_rise_to_all_traffic",
            environments(rollout={"steps": steps}),
            [f"environments.p.rollout.steps {steps} {said}"],
        )
        for steps, said in [
            ([50, 10, 100], "does not rise from step to step"),
            ([10, 10, 100], "does not rise from step to step"),
            ([10, 50], "does not end at 100, so the release would never take over"),
        ]
    ],
    ("rollouts_rise_to_all_traffic", {"environments": {"p": None, "q": {"rollout": None}}}, []),
    *[
        ("approvals_can_be_given", environments(approvals=approvals), [])
        for approvals in (
            {"required": 2},
            {"required": 2, "from": ["ada", "grace"]},
            {"required": 9, "from": ["ada", "@acme/owners"]},
            {"required": 9, "from": ["ada", None]},
            {"required": None, "from": ["ada"]},
            None,
        )
    ],
    (
        "approvals_can_be_given",
        environments(approvals={"required": 3, "from": ["ada", "@grace"]}),
        ["environments.p.approvals.required is 3, but `from` names only 2"],
    ),
    ("waivers_end_on_a_day", waived("2028-02-29"), []),
    ("waivers_end_on_a_day", waived(None), []),
    (
        "waivers_end_on_a_day",
        waived("2026-02-29"),
        ["gate.waivers[0].expires is '2026-02-29', which is no day of the calendar"],
    ),
    ("windows_have_a_length", {"monitor": {"window": "1s"}}, []),
    ("windows_have_a_length", {"monitor": {"window": None}}, []),
    ("windows_have_a_length", {"monitor": {"window": "0w"}}, ["monitor.window is '0w', which holds no data"]),
]


@pytest.mark.parametrize(("name", "values", "said"), CASES)
def test_rule(name: str, values: dict[str, Any], said: list[str]) -> None:
    rules: dict[str, Rule] = {rule.__name__: rule for rule in MODEL_RULES}
    complaints = list(rules[name](values))
    assert [each.what for each in complaints] == said
    assert all(each.fix and each.path for each in complaints)


def test_every_rule_has_a_case_that_breaks_it() -> None:
    assert {name for name, _, said in CASES if said} == {rule.__name__ for rule in MODEL_RULES}


@pytest.mark.parametrize("rule", MODEL_RULES)
def test_a_rule_says_nothing_about_what_is_absent(rule: Rule) -> None:
    sections = ("task", "data", "split", "train", "gate", "environments", "monitor")
    assert list(rule({})) == []
    assert list(rule(dict.fromkeys(sections))) == []
