"""Each rule over values that the schema allows: what it says, and that it keeps quiet where a part is wrong already."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_ci.config.rules import MODEL_RULES
from mlops_ci.config.validation import Rule

BINARY, MULTICLASS, REGRESSION = "binary-classification", "multiclass-classification", "regression"
Case = tuple[str, dict[str, Any], list[str]]


def environments(**keys: Any) -> dict[str, Any]:
    return {"environments": {"first": {}, "p": keys}}


def guardrails(*items: Any) -> dict[str, Any]:
    return {"task": BINARY, "gate": {"guardrails": list(items)}}


def fairness(*items: Any) -> dict[str, Any]:
    return {"gate": {"fairness": list(items)}}


def validation(declared: list[Any], limited: list[Any]) -> dict[str, Any]:
    sets = {"split": declared, "gate": limited}
    return {section: {"validation": [{"name": name} for name in names]} for section, names in sets.items()}


def space(method: str | None = "random", **values: Any) -> dict[str, Any]:
    return {"train": {"search": {"space": values, "method": method}}}


def cross_validated(cv: Any, task: str = BINARY) -> dict[str, Any]:
    return {"task": task, "data": {"group": "city"}, "train": {"search": {"cv": cv}}}


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
        ],
    ),
    (
        "metrics_suit_the_task",
        {"task": REGRESSION, "gate": {"fairness": [{"metric": "mae_ratio"}, {"metric": "equalized_odds_difference"}]}},
        ["gate.fairness[1].metric is 'equalized_odds_difference', which does not suit the task regression"],
    ),
    (
        "metrics_suit_the_task",
        {"task": MULTICLASS, "gate": {"validation": [{"name": "a"}, {"name": "b", "metric": "rmse"}]}},
        ["gate.validation[1].metric is 'rmse', which does not suit the task multiclass-classification"],
    ),
    (
        "fairness_has_the_limit_that_fits",
        fairness(
            {"metric": "accuracy_difference", "max": 0.1},
            {"metric": "accuracy_ratio", "min": 0.8},
            {"metric": "accuracy_ratio", "min": None},
            {"metric": None},
            None,
        ),
        [],
    ),
    (
        "fairness_has_the_limit_that_fits",
        fairness(
            {"metric": "accuracy_difference", "min": 0.1},
            {"metric": "accuracy_ratio", "min": 0.8, "max": 1},
            {"metric": "accuracy_difference"},
            {"metric": "accuracy_ratio"},
            {"metric": "accuracy_ratio", "min": 1.25},
            {"metric": "accuracy_difference", "max": -1},
        ),
        [
            "gate.fairness[0] limits accuracy_difference by min, which lets every unlikeness pass",
            "gate.fairness[1] limits accuracy_ratio by max, which lets every unlikeness pass",
            "gate.fairness[2] has no max, so it guards nothing",
            "gate.fairness[3] has no min, so it guards nothing",
            "gate.fairness[4].min is 1.25, and no ratio is above 1, so nothing can pass",
            "gate.fairness[5].max is -1, and no difference is below 0, so nothing can pass",
        ],
    ),
    (
        "validation_sets_have_what_they_need",
        {
            "data": {"group": "g"},
            "task": REGRESSION,
            "split": {
                "validation": [
                    {"strategy": "group"},
                    {"strategy": "time", "by": "t"},
                    {"strategy": "stratified", "by": "s"},
                    {"strategy": "random"},
                    {"strategy": None},
                    None,
                ]
            },
        },
        [],
    ),
    ("validation_sets_have_what_they_need", {"data": None, "split": {"validation": [{"strategy": "time"}]}}, []),
    (
        "validation_sets_have_what_they_need",
        {
            "data": {},
            "task": REGRESSION,
            "split": {
                "holdout": 0.6,
                "validation": [
                    {"strategy": "group"},
                    {"strategy": "time"},
                    {"strategy": "stratified"},
                    {"strategy": "random", "by": "x"},
                ],
            },
        },
        [
            "split.validation[0] is cut by group, but has no `by`, and data.group names no column",
            "split.validation[1] is cut by time, but has no `by`, and data.time names no column",
            "split.validation[2] is stratified, which needs classes, but has no `by`, and the task is regression",
            "split.validation[3].by names a column, and a random set goes by none",
            "holdout and validation sets together take 1 of the rows, which leaves none to train on",
        ],
    ),
    ("validation_sets_are_named_once", validation(["a", "b"], ["b"]), []),
    ("validation_sets_are_named_once", validation(["a", None], ["c"]), []),
    (
        "validation_sets_are_named_once",
        validation(["a", "a"], ["b", "a", "a"]),
        [
            "split.validation[1].name is 'a' once more",
            "gate.validation[0].name is 'b', and split.validation declares no such set",
            "gate.validation[2].name is 'a' once more",
        ],
    ),
    (
        "validation_sets_are_named_once",
        validation([], ["b"]),
        ["gate.validation[0].name is 'b', and split.validation declares no such set"],
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
    ("image_limits_have_an_image", guardrails({"metric": "image_mb", "max": 9}) | {"image": {}}, []),
    ("image_limits_have_an_image", guardrails({"metric": "image_mb", "max": 9}) | {"image": None}, []),
    ("image_limits_have_an_image", guardrails({"metric": "model_mb", "max": 9}, None), []),
    (
        "image_limits_have_an_image",
        guardrails({"metric": "f1", "min": 0}, {"metric": "image_mb", "max": 9}),
        ["gate.guardrails[1] limits image_mb, and there is no image"],
    ),
    ("containers_have_an_image", environments(target="docker") | {"image": {}}, []),
    ("containers_have_an_image", environments(target="process"), []),
    ("containers_have_an_image", environments(target=None), []),
    (
        "containers_have_an_image",
        environments(target="docker"),
        ["environments.p.target is 'docker', and there is no image to run"],
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
        ("limits_can_be_kept", {"environments": {"p": environment}}, [])
        for environment in (
            None,
            {"limits": None},
            {"target": None, "limits": {"cpus": 1}},
            {"target": "docker", "limits": {"cpus": 1}},
        )
    ],
    *[
        (
            "limits_can_be_kept",
            environments(limits={"cpus": 1}, **target),
            ["environments.p.limits limits a process of this machine, which nothing would keep to them"],
        )
        for target in ({}, {"target": "process"})
    ],
    (
        "limits_can_be_kept",
        environments(limits={"cpus": 1}, target="terraform"),
        ["environments.p.limits has no effect: target terraform says itself what a service may use"],
    ),
    *[
        ("targets_have_their_own_section", {"environments": {"p": environment}}, [])
        for environment in (
            None,
            {},
            {"target": None, "terraform": {}},
            {"target": "terraform", "terraform": None},
            {"target": "kubernetes", "kubernetes": {"overlay": "k"}},
        )
    ],
    (
        "targets_have_their_own_section",
        environments(target="terraform", kubernetes={}),
        [
            "environments.p.kubernetes is of target kubernetes, and the target is terraform",
            "environments.p.target is 'terraform', and there is no section `terraform:` beside it",
        ],
    ),
    (
        "targets_have_their_own_section",
        environments(terraform={}),
        ["environments.p.terraform is of target terraform, and the target is process"],
    ),
    *[
        ("clusters_can_pull_the_image", {"image": image} | environments(target=target), [])
        for image, target in (
            ({"push": False}, "docker"),
            ({}, "terraform"),
            (None, "terraform"),
            ({"push": False}, None),
        )
    ],
    (
        "clusters_can_pull_the_image",
        {"image": {"push": False}} | environments(target="kubernetes"),
        ["image.push is false, and environments.p pulls the image from its registry"],
    ),
    *[
        ("variables_leave_serving_alone", environments(terraform={"variables": variables}), [])
        for variables in ({"cpu": 1}, {}, None)
    ],
    (
        "variables_leave_serving_alone",
        environments(terraform={"variables": {"serving": {}, "cpu": 1}}),
        ["environments.p.terraform.variables.serving is what mlops-ci sets itself"],
    ),
    *[
        ("backends_hold_no_secret", environments(terraform={"backend": backend}), [])
        for backend in ({"bucket": "b", "key": "k", "kms_key_id": "x", "use_lockfile": True}, {}, None)
    ],
    (
        "backends_hold_no_secret",
        environments(terraform={"backend": {"key": "k", "secret_key": "x", "sas_token": "y", "password": None}}),
        [
            "environments.p.terraform.backend.secret_key would put a secret into Git",
            "environments.p.terraform.backend.sas_token would put a secret into Git",
            "environments.p.terraform.backend.password would put a secret into Git",
        ],
    ),
    *[
        ("only_commits_have_a_branch", environments(kubernetes=kubernetes), [])
        for kubernetes in ({"mode": "commit", "branch": "b"}, {"mode": None, "branch": "b"}, {"mode": "apply"}, None)
    ],
    (
        "only_commits_have_a_branch",
        environments(kubernetes={"branch": "b"}),
        ["environments.p.kubernetes.branch has no effect with mode apply, which commits nothing"],
    ),
    *[
        ("rollouts_are_counted", environments(kubernetes=kubernetes, rollout=rollout), [])
        for kubernetes, rollout in (
            ({"prometheus": "http://p"}, None),
            ({"overlay": "o"}, {"steps": [100]}),
            (None, {"steps": [50, 100]}),
        )
    ],
    ("rollouts_are_counted", {"environments": {"first": {"kubernetes": {"overlay": "o"}}}}, []),
    *[
        (
            "rollouts_are_counted",
            environments(kubernetes={"overlay": "o"}, rollout=rollout),
            [
                "environments.p.kubernetes has no `prometheus`, and the rollout goes by what users are answered at "
                "each step"
            ],
        )
        for rollout in (None, {}, {"steps": [50, 100]}, {"steps": [1], "min_requests": 5}, {"steps": [1], "ab": {}})
    ],
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
    (
        "approvals_can_be_given",
        environments(approvals={"required": 2, "from": ["ada", "Ada"]}),
        ["environments.p.approvals.required is 2, but `from` names only 1"],
    ),
    ("approvals_can_be_given", {"risk": "high"} | environments(approvals={"from": ["ada", "grace"]}), []),
    ("approvals_can_be_given", {"risk": None} | environments(approvals={"from": ["ada"]}), []),
    ("approvals_can_be_given", {"risk": "high"} | environments(approvals={"high_risk": None, "from": ["ada"]}), []),
    (
        "approvals_can_be_given",
        {"risk": "high"} | environments(approvals={"from": ["ada"]}),
        ["environments.p.approvals.high_risk is 2, but `from` names only 1"],
    ),
    (
        "approvals_can_be_given",
        environments(approvals={"required": 3, "high_risk": 2}),
        ["environments.p.approvals.high_risk is 2, fewer than the 3 of any model"],
    ),
    *[
        ("the_first_environment_takes_what_is_merged", {"environments": {"qa": qa, "p": {"soak": "1h"}}}, said)
        for qa, said in [
            (None, []),
            ({"approvals": None, "rollout": None, "soak": None}, []),
            (
                {
                    "approvals": {"required": 0, "high_risk": 0, "from": []},
                    "soak": "0s",
                    "rollout": {"steps": [100], "window": "1s", "min_requests": 0, "shadow": "0s", "ab": None},
                },
                [],
            ),
            (
                {
                    "approvals": {"from": ["ada"]},
                    "soak": "1h",
                    "rollout": {"steps": [50, 100], "min_requests": 1, "shadow": "1s", "ab": {"share": 50}},
                },
                [
                    f"environments.qa.{key} has no effect in the first environment, which takes at once what `release` "
                    "brings"
                    for key in (
                        *("approvals", "soak", "rollout.steps"),
                        *("rollout.min_requests", "rollout.shadow", "rollout.ab"),
                    )
                ],
            ),
        ]
    ],
    *[
        ("rollouts_have_the_time_they_need", environments(rollout=rollout), said)
        for rollout, said in [
            (None, []),
            ({"window": "2m", "deadline": "2m"}, []),
            ({"window": None, "deadline": "1s"}, []),
            ({"window": "2m", "deadline": None, "ab": {"duration": None}}, []),
            ({"ab": {"duration": "1s"}}, []),
            (
                {"deadline": "59s"},
                ["environments.p.rollout.deadline is '59s', which is over before a step's window of '60s' is"],
            ),
            (
                {"ab": {"duration": "0d"}},
                ["environments.p.rollout.ab.duration is '0d', in which nothing can be compared"],
            ),
        ]
    ],
    *[
        ("timezones_are_known", environments(**keys), said)
        for keys, said in [
            ({"timezone": "Europe/Zurich", "windows": [None, {}, {"timezone": "UTC"}, {"timezone": None}]}, []),
            ({"windows": None}, []),
            (
                {
                    "timezone": "Europe/Zuerich",
                    "windows": [{}, {"timezone": "Mars/Olympus"}, {"timezone": "America/Indiana"}],
                },
                [
                    "environments.p.timezone is 'Europe/Zuerich', which is no known timezone",
                    "environments.p.windows[1].timezone is 'Mars/Olympus', which is no known timezone",
                    "environments.p.windows[2].timezone is 'America/Indiana', which is no known timezone",
                ],
            ),
        ]
    ],
    *[
        ("windows_have_a_beginning_and_an_end", environments(windows=[window]), said)
        for window, said in [
            (None, []),
            ({}, []),
            ({"from": "00:00", "to": "24:00"}, []),
            ({"from": "22:00", "to": "00:00"}, []),
            ({"from": None, "to": "24:00"}, []),
            ({"from": None, "to": None}, []),
            ({"to": "00:00"}, ["environments.p.windows[0] opens and closes at 00:00"]),
            ({"from": "09:00", "to": "09:00"}, ["environments.p.windows[0] opens and closes at 09:00"]),
            ({"from": "24:00"}, ["environments.p.windows[0].from is 24:00, the end of the day"]),
        ]
    ],
    *[
        ("freezes_are_days_of_the_calendar", environments(freeze=[freeze]), said)
        for freeze, said in [
            (None, []),
            ({"reason": "x"}, []),
            ({"from": "2026-12-20", "to": "2026-12-20"}, []),
            ({"from": None, "to": "2026-12-20"}, []),
            (
                {"from": "2026-02-30", "to": "2026-02-01"},
                ["environments.p.freeze[0].from is '2026-02-30', which is no day of the calendar"],
            ),
            (
                {"from": "2026-03-02", "to": "2026-03-01"},
                ["environments.p.freeze[0] ends on 2026-03-01, before it begins on 2026-03-02"],
            ),
        ]
    ],
    ("waivers_end_on_a_day", waived("2028-02-29"), []),
    ("waivers_end_on_a_day", waived(None), []),
    (
        "waivers_end_on_a_day",
        waived("2026-02-29"),
        ["gate.waivers[0].expires is '2026-02-29', which is no day of the calendar"],
    ),
    ("search_spaces_can_be_searched", space(a=[1, None], b={"min": 1, "max": 2, "log": True, "integer": True}), []),
    ("search_spaces_can_be_searched", space(a=None, b={"min": None, "max": 1}, c={"max": 1}), []),
    ("search_spaces_can_be_searched", space(None, a={"min": 0.1, "max": 0.2}), []),
    *[
        ("search_spaces_can_be_searched", space(method, x=values), [f"train.search.space{said}"])
        for method, values, said in [
            ("random", {"min": 2, "max": 2}, ".x has min 2 not below max 2"),
            ("halving", {"min": 0, "max": 2, "log": True}, ".x is logarithmic, but its min 0 is not above 0"),
            ("random", {"min": 0, "max": 2.5, "integer": True}, ".x is of whole numbers, but runs from 0 to 2.5"),
            ("grid", {"min": 0, "max": 2}, ".x is a range, of which a grid cannot try every value"),
            ("grid", list(range(10_001)), " has 10,001 combinations; a grid tries at most 10,000"),
        ]
    ],
    ("search_budgets_suit_their_method", {"train": {"search": {"candidates": 9, "factor": 2}}}, []),
    ("search_budgets_suit_their_method", {"train": {"search": {"method": "random", "candidates": 9}}}, []),
    (
        "search_budgets_suit_their_method",
        {"train": {"search": {"method": "grid", "candidates": 9}}},
        ["train.search.candidates says nothing to method grid"],
    ),
    (
        "search_budgets_suit_their_method",
        {"train": {"search": {"method": "random", "factor": 9}}},
        ["train.search.factor says nothing to method random"],
    ),
    ("cross_validation_has_what_it_needs", cross_validated(5), []),
    ("cross_validation_has_what_it_needs", cross_validated({"strategy": "group"}), []),
    ("cross_validation_has_what_it_needs", cross_validated({"strategy": None}, REGRESSION), []),
    (
        "cross_validation_has_what_it_needs",
        cross_validated({"strategy": "time"}),
        ["train.search.cv.strategy is 'time', but data.time names no column"],
    ),
    (
        "cross_validation_has_what_it_needs",
        cross_validated({"strategy": "stratified"}, REGRESSION),
        ["train.search.cv.strategy is 'stratified', which needs classes, but the task is regression"],
    ),
    (
        "metrics_suit_the_task",
        {"task": REGRESSION, "train": {"search": {"metric": "roc_auc"}}},
        ["train.search.metric is 'roc_auc', which does not suit the task regression"],
    ),
    ("windows_have_a_length", {"monitor": {"window": "1s"}}, []),
    ("windows_have_a_length", {"monitor": {"window": None}}, []),
    ("windows_have_a_length", {"monitor": {"window": "0w"}}, ["monitor.window is '0w', which holds no data"]),
    ("loads_come_to_an_end", {"verification": {"duration": "10m"}}, []),
    ("loads_come_to_an_end", {"verification": {"duration": None}}, []),
    (
        "loads_come_to_an_end",
        {"verification": {"duration": "1h"}},
        ["verification.duration is '1h', and every deployment would wait for it"],
    ),
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
