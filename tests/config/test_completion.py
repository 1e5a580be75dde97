"""Defaults: what a minimal file means, that writing them out changes nothing, and that texts stay as written."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_ci.config.completion import complete, with_defaults
from mlops_ci.config.diagnostics import DiagnosticsConfig
from mlops_ci.config.loading import load
from mlops_ci.config.reader import read
from mlops_ci.config.rules import MODEL_RULES
from mlops_ci.config.search_types import CrossValidationConfig, SearchConfig
from mlops_ci.config.types import (
    AbConfig,
    ApprovalsConfig,
    EnvironmentConfig,
    EventLogConfig,
    FairnessConfig,
    GateConfig,
    GuardrailConfig,
    ImageConfig,
    ModelConfig,
    MonitorConfig,
    ParityConfig,
    PrimaryConfig,
    RetrainConfig,
    RolloutConfig,
    SliceConfig,
    SplitConfig,
    TrainConfig,
    WaiverConfig,
)
from mlops_ci.config.validation import MODEL_SCHEMA, validate
from mlops_ci.core.calendar import Freeze, Window
from mlops_ci.core.search_space import Range
from mlops_ci.core.serving import ResourceLimits
from mlops_ci.errors import ConfigurationError

# The example of the design, whose two ellipses are filled.
EXAMPLE = """\
schema: 1
model: flight-delay
task: binary-classification        # binary-classification | multiclass-classification | regression
data:
  source: data/flights.parquet     # CSV or Parquet; path, glob, s3://, az://, gs://, or a .dvc pointer
  target: late
  id: flight_id                    # optional
  time: time_hour                  # optional: time split, windows
  group: carrier                   # optional: grouped split, clustered resampling
  schema: data.schema.yaml         # column types, ranges, categories, nullability, uniqueness
  prepare: features:prepare        # optional DataFrame -> DataFrame, the same in training and batch scoring
split: {strategy: time, holdout: 0.2, seed: 7}      # random | stratified | group | time
train:
  entrypoint: train:build_model
  params: {max_depth: 6}
  search: {space: {max_depth: [4, 6]}, method: halving, cv: 5}    # optional
  engine: local                    # local | dask (an address, or a cluster that it starts)
gate:
  primary: {metric: roc_auc, margin: 0.005, alpha: 0.05}
  guardrails: [{metric: log_loss, max: 0.45}, {metric: brier_score, max: 0.2}, {metric: latency_p99_ms, max: 10}]
  slices: [{by: carrier, metric: roc_auc, max_drop: 0.02, min_rows: 200}]
  fairness: [{by: sex, metric: equalized_odds_difference, max: 0.1}]
  looks: 20                        # how many challengers one holdout may judge before fresh data is demanded
  waivers: []                      # named verdict, reason, approver, expiry date
parity: {atol: 1.0e-5, max_flips: 0}
image: {repository: ghcr.io/acme/flight-delay, base: "python:3.11-slim"}
environments:
  qa: {target: process}            # process | docker | kubernetes | terraform
  production: {target: docker, approvals: {required: 1, from: ["@acme/ml-owners"]}, rollout: {steps: [10, 50, 100], window: 60s}, soak: 1h}
monitor: {window: 7d}
retrain: {schedule: weekly, on: [drift, performance, data], cooldown: 1d}
"""  # noqa: E501 - as the design has it
SOME_COLUMN = "schema: 1\ncolumns: {late: {type: integer}}\n"


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[str], ModelConfig]:
    def of(text: str) -> ModelConfig:
        (tmp_path / "mlops.yaml").write_text(text, encoding="utf-8")
        (tmp_path / "data.schema.yaml").write_text(SOME_COLUMN, encoding="utf-8")
        return load(tmp_path / "mlops.yaml")

    return of


def test_the_designs_example(loaded: Callable[[str], ModelConfig], tmp_path: Path) -> None:
    config = loaded(EXAMPLE)
    assert (config.root, config.path) == (tmp_path, tmp_path / "mlops.yaml")
    assert (config.model, config.task) == ("flight-delay", "binary-classification")
    data = config.data
    assert (data.source, data.target, data.id) == ("data/flights.parquet", "late", "flight_id")
    assert (data.time, data.group, data.prepare, data.features) == ("time_hour", "carrier", "features:prepare", ())
    assert data.schema is not None
    assert data.schema.path == "data.schema.yaml"
    assert config.split == SplitConfig(strategy="time", holdout=0.2, seed=7)
    assert config.train == TrainConfig(
        entrypoint="train:build_model",
        params={"max_depth": 6},
        search=SearchConfig(
            space={"max_depth": (4, 6)},
            method="halving",
            cv=CrossValidationConfig(folds=5, strategy="time"),
            metric="roc_auc",
            candidates=30,
            factor=3,
        ),
        engine="local",
        seed=0,
        threads=2,
        diagnostics=DiagnosticsConfig(),
    )
    assert config.gate == GateConfig(
        primary=PrimaryConfig(metric="roc_auc", margin=0.005, alpha=0.05),
        guardrails=(
            GuardrailConfig(metric="log_loss", min=None, max=0.45),
            GuardrailConfig(metric="brier_score", min=None, max=0.2),
            GuardrailConfig(metric="latency_p99_ms", min=None, max=10.0),
        ),
        slices=(SliceConfig(by="carrier", metric="roc_auc", max_drop=0.02, min_rows=200),),
        fairness=(FairnessConfig(by="sex", metric="equalized_odds_difference", min=None, max=0.1, min_rows=200),),
        looks=20,
        waivers=(),
        ships=("first", "superior"),
        resamples=2000,
    )
    assert config.parity == ParityConfig(atol=1e-5, max_flips=0)
    assert config.image == ImageConfig(repository="ghcr.io/acme/flight-delay", base="python:3.11-slim")
    production = config.environment("production")
    assert production == EnvironmentConfig(
        name="production",
        target="docker",
        approvals=ApprovalsConfig(required=1, people=("@acme/ml-owners",)),
        rollout=RolloutConfig(steps=(10, 50, 100), window=timedelta(minutes=1), deadline=timedelta(minutes=1)),
        soak=timedelta(hours=1),
        limits=ResourceLimits(cpus=1.0, memory_mb=1024),
    )
    assert [environment.name for environment in config.environments] == ["qa", "production"]
    assert config.retrain == RetrainConfig(
        schedule="weekly", on=("drift", "performance", "data"), cooldown=timedelta(days=1)
    )


@pytest.mark.parametrize(
    ("task", "strategy", "metric"),
    [
        ("binary-classification", "stratified", "roc_auc"),
        ("multiclass-classification", "stratified", "accuracy"),
        ("regression", "random", "rmse"),
    ],
)
def test_a_minimal_file(
    loaded: Callable[[str], ModelConfig], minimal: str, task: str, strategy: str, metric: str
) -> None:
    config = loaded(minimal.replace("binary-classification", task))
    assert (config.split.strategy, config.split.holdout, config.split.seed) == (strategy, 0.2, 0)
    assert config.train == TrainConfig(
        entrypoint="train:build_model",
        params={},
        search=None,
        engine="local",
        seed=0,
        threads=2,
        diagnostics=DiagnosticsConfig(),
    )
    assert config.gate == GateConfig(
        primary=PrimaryConfig(metric=metric, margin=0.0, alpha=0.05),
        guardrails=(),
        slices=(),
        fairness=(),
        looks=20,
        waivers=(),
        ships=("first", "superior"),
        resamples=2000,
    )
    assert config.parity == ParityConfig(atol=1e-5, max_flips=0)
    assert config.image is None
    assert config.environments == (
        EnvironmentConfig(
            name="qa",
            target="process",
            approvals=ApprovalsConfig(required=0, people=(), high_risk=0),
            rollout=RolloutConfig(steps=(100,), window=timedelta(minutes=1), deadline=timedelta(minutes=1)),
            soak=timedelta(0),
        ),
        EnvironmentConfig(
            name="production",
            target="process",
            approvals=ApprovalsConfig(required=1, people=()),
            rollout=RolloutConfig(steps=(10, 50, 100), window=timedelta(minutes=1), deadline=timedelta(minutes=1)),
            soak=timedelta(0),
        ),
    )
    assert config.monitor == MonitorConfig(window=timedelta(days=7), false_alarms_per_month=1.0, min_rows=200)
    assert config.retrain == RetrainConfig(schedule=None, on=(), cooldown=timedelta(days=1))


def test_texts_stay_as_they_were_written(loaded: Callable[[str], ModelConfig], minimal: str) -> None:
    """PEERS, defect 3: an unquoted 3.10 became 3.1."""
    columns = "  target: 3.10\n  id: 2013\n  group: true\n  features: [1.0, 1e3, no]\n"
    config = loaded(minimal.replace("  target: late\n", columns) + "image: {repository: acme/x, base: 3.10}\n")
    assert config.data.target == "3.10"
    assert (config.data.id, config.data.group, config.data.features) == ("2013", "true", ("1.0", "1e3", "no"))
    assert config.image is not None
    assert config.image.base == "3.10"


def test_params_are_handed_on_as_they_are(loaded: Callable[[str], ModelConfig], minimal: str) -> None:
    params = "{depth: 6, rate: 1e-3, kind: gini, version: '3.10', none: null, deep: {list: [true, 2], on: x}}"
    assert loaded(f"{minimal}  params: {params}\n").train.params == {
        "depth": 6,
        "rate": 0.001,
        "kind": "gini",
        "version": "3.10",
        "none": None,
        "deep": {"list": [True, 2], "on": "x"},
    }


def test_approvals_and_people(loaded: Callable[[str], ModelConfig], minimal: str) -> None:
    config = loaded(
        minimal
        + """\
environments:
  first: {}
  second: {approvals: {required: 0}}
  third: {approvals: {from: [ada, "@grace", "@acme/ml"]}, rollout: {window: 10m}}
"""
    )
    approvals = [(each.approvals.required, each.approvals.people) for each in config.environments]
    assert approvals == [(0, ()), (0, ()), (1, ("ada", "grace", "@acme/ml"))]
    assert config.environments[2].rollout == RolloutConfig(
        steps=(10, 50, 100), window=timedelta(minutes=10), deadline=timedelta(minutes=10)
    )


@pytest.mark.parametrize(
    ("approvals", "normal", "high"),
    [
        ("{}", 1, 2),
        ("{required: 0}", 0, 2),
        ("{required: 1}", 1, 2),
        ("{required: 3}", 3, 4),
        ("{required: 3, high_risk: 3}", 3, 3),
        ("{required: 0, high_risk: 0}", 0, 0),
        ("{from: ['@acme/ml']}", 1, 2),
    ],
)
def test_a_model_of_high_risk_needs_more_approvals(
    loaded: Callable[[str], ModelConfig], minimal: str, approvals: str, normal: int, high: int
) -> None:
    for risk, second in (("normal", normal), ("high", high)):
        config = loaded(f"{minimal}risk: {risk}\nenvironments: {{a: {{}}, b: {{approvals: {approvals}}}}}\n")
        assert [each.approvals.needed(config.risk) for each in config.environments] == [0, second]


def test_rollouts_with_all_that_they_may_have(loaded: Callable[[str], ModelConfig], minimal: str) -> None:
    rollout = "{window: 5m, min_requests: 500, shadow: 1h, ab: {share: 50, duration: 7d}, false_aborts: 0.001}"
    config = loaded(
        f"{minimal}environments:\n  a: {{}}\n  b: {{rollout: {rollout}}}\n  c: {{rollout: {{deadline: 2h}}}}\n"
    )
    assert config.environments[1].rollout == RolloutConfig(
        steps=(10, 50, 100),
        window=timedelta(minutes=5),
        min_requests=500,
        deadline=timedelta(minutes=50),
        shadow=timedelta(hours=1),
        ab=AbConfig(share=50, duration=timedelta(days=7)),
        false_aborts=0.001,
    )
    assert config.environments[2].rollout.deadline == timedelta(hours=2)


def test_the_longest_window_has_a_deadline_that_can_be_written(
    loaded: Callable[[str], ModelConfig], minimal: str
) -> None:
    rollout = "{window: 999998s, min_requests: 1}"
    config = loaded(f"{minimal}environments: {{a: {{}}, b: {{rollout: {rollout}}}}}\n")
    assert config.environments[1].rollout.deadline == timedelta(seconds=999_999)


def test_windows_and_freezes(loaded: Callable[[str], ModelConfig], minimal: str) -> None:
    config = loaded(
        minimal
        + """\
environments:
  qa: {}
  production:
    timezone: Europe/Zurich
    windows:
      - {days: [monday, friday], from: 09:00, to: 16:30}
      - {days: [saturday], from: 22:00, to: 02:00, timezone: Asia/Tokyo}
      - {days: [sunday]}
      - {to: 06:00}
    freeze:
      - {from: 2026-12-20, to: 2027-01-02, reason: " year's end "}
      - {reason: the audit}
"""
    )
    zurich, tokyo = ZoneInfo("Europe/Zurich"), ZoneInfo("Asia/Tokyo")
    qa, production = config.environments
    assert (qa.windows, qa.freezes) == ((), ())
    assert production.windows == (
        Window(days=frozenset({0, 4}), opens=time(9), closes=time(16, 30), timezone=zurich),
        Window(days=frozenset({5}), opens=time(22), closes=time(2), timezone=tokyo),
        Window(days=frozenset({6}), opens=time(0), closes=time(0), timezone=zurich),
        Window(days=frozenset(range(7)), opens=time(0), closes=time(6), timezone=zurich),
    )
    assert production.freezes == (
        Freeze(first=date(2026, 12, 20), last=date(2027, 1, 2), reason="year's end", timezone=zurich),
        Freeze(first=None, last=None, reason="the audit", timezone=zurich),
    )


def test_the_log_and_its_key(loaded: Callable[[str], ModelConfig], minimal: str) -> None:
    assert loaded(minimal).log == EventLogConfig(public_key=None)
    assert loaded(f"{minimal}log: {{public_key: keys/log.pem}}\n").log == EventLogConfig(public_key="keys/log.pem")


def test_naming_people_for_the_first_environment_is_refused(loaded: Callable[[str], ModelConfig], minimal: str) -> None:
    with pytest.raises(ConfigurationError, match=r"environments\.only\.approvals has no effect in the first"):
        loaded(f"{minimal}environments: {{only: {{approvals: {{from: [ada]}}}}}}\n")


def test_containers_are_limited_and_processes_are_not(loaded: Callable[[str], ModelConfig], minimal: str) -> None:
    config = loaded(
        minimal
        + """\
image: {repository: acme/late}
serving: {workers: 2}
environments:
  a: {}
  b: {target: docker}
  c: {target: docker, limits: {cpus: 0.5}}
  d: {target: docker, limits: {memory_mb: 256}}
"""
    )
    assert [environment.limits for environment in config.environments] == [
        None,
        ResourceLimits(cpus=2.0, memory_mb=1024),
        ResourceLimits(cpus=0.5, memory_mb=1024),
        ResourceLimits(cpus=2.0, memory_mb=256),
    ]


@pytest.mark.parametrize("limits", ["{cpus: 0}", "{cpus: 2000}", "{memory_mb: 63}", "{memory_mb: 99.5}", "{pids: 1}"])
def test_limits_that_nothing_could_live_in_are_refused(
    loaded: Callable[[str], ModelConfig], minimal: str, limits: str
) -> None:
    environment = f"image: {{repository: acme/late}}\nenvironments: {{qa: {{target: docker, limits: {limits}}}}}\n"
    with pytest.raises(ConfigurationError, match=r"environments\.qa\.limits"):
        loaded(minimal + environment)


def test_a_slice_takes_the_primary_metric_and_a_waiver_its_day(
    loaded: Callable[[str], ModelConfig], minimal: str
) -> None:
    gate = """\
gate:
  primary: {metric: accuracy}
  slices: [{by: sex, max_drop: 0.01}]
  waivers: [{verdict: schema-changed, reason: new column, approver: ada, expires: 2026-01-31}]
"""
    config = loaded(minimal + gate)
    assert config.gate.slices == (SliceConfig(by="sex", metric="accuracy", max_drop=0.01, min_rows=200),)
    assert config.gate.waivers == (
        WaiverConfig(verdict="schema-changed", reason="new column", approver="ada", expires=date(2026, 1, 31)),
    )


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    """Valid files that leave out whatever may be left out."""

    def some(options: dict[str, Any]) -> dict[str, Any]:
        return draw(st.fixed_dictionaries({}, optional={key: st.just(value) for key, value in options.items()}))

    later = {"soak": "5m", "approvals": {"from": ["ada"]}}
    later["rollout"] = {"steps": [50, 100], "min_requests": 9, "ab": {"share": 20, "duration": "1d"}, "shadow": "1m"}
    environment = {
        "target": "process",
        "timezone": "Asia/Tokyo", "windows": [{"days": ["monday"]}, {"from": "08:00", "timezone": "UTC"}],
        "freeze": [{"to": "2026-12-24", "reason": "x"}],
    }  # fmt: skip
    gate: dict[str, Any] = {
        "primary": some({"metric": "log_loss", "margin": 1, "alpha": 0.01}) if draw(st.booleans()) else {},
        "guardrails": [{"metric": "f1", "min": 0.5}],
        "slices": [{"by": "a", "max_drop": 0.1, **some({"metric": "recall", "min_rows": 5})}],
        "fairness": [{"by": "a", "metric": "equalized_odds_difference", "max": 0.1}],
        "ships": ["first"],
        "looks": 3,
        "spending": "even",
    }
    optional = {
        "split": some({"strategy": "random", "holdout": 0.5, "seed": 3}),
        "gate": some(gate),
        "parity": some({"atol": 1e-3, "max_flips": 2}),
        "image": {"repository": "acme/x", **some({"base": "python:3.12"})},
        "environments": {"first": some(environment)}
        | {name: some(environment | later) for name in draw(st.sets(st.sampled_from("abc")))},
        "monitor": some({"window": "1d", "false_alarms_per_month": 2, "min_rows": 9}),
        "log": some({"public_key": "log.pem"}),
        "retrain": some({"schedule": "daily", "on": ["data"], "cooldown": "2w"}),
    }
    search = {"space": {"x": [1, 2]}, **some({"method": "grid", "cv": 3, "metric": "log_loss"})}
    return {
        "schema": 1,
        "model": "m",
        "task": "binary-classification",
        "data": {"source": "a.csv", "target": "y", **some({"id": "i", "features": ["a"], "prepare": "p:f"})},
        "train": {
            "entrypoint": "t:b",
            **some({"params": {"x": 1}, "seed": 1, "threads": 4, "engine": "dask", "search": search}),
        },
        **some(optional),
    }


@settings(deadline=None)
@given(files())
def test_writing_the_defaults_out_changes_nothing(value: dict[str, Any]) -> None:
    before = json.dumps(value)
    filled = with_defaults(value)
    assert json.dumps(value) == before, "the value is left alone"
    assert with_defaults(filled) == filled
    path = Path("somewhere/mlops.yaml")
    assert complete(filled, path=path, schema=None) == complete(value, path=path, schema=None)
    # JSON is YAML too, and has no aliases.
    checked = validate(read(json.dumps(filled).encode(), "mlops.yaml"), schema=MODEL_SCHEMA, rules=MODEL_RULES)
    assert checked.problems == ()
    assert checked.document.value == filled


def test_a_validation_set_goes_by_the_column_that_plays_the_part(
    loaded: Callable[[str], ModelConfig], minimal: str
) -> None:
    sets = "[{name: fresh, strategy: time}, {name: far, strategy: group, by: origin, share: 0.2, seed: 9}, "
    sets += "{name: mix, strategy: stratified}, {name: any, strategy: random}]"
    config = loaded(
        minimal.replace("  target: late\n", "  target: late\n  time: when\n")
        + f"split: {{seed: 5, validation: {sets}}}\n"
        + "gate: {primary: {margin: 0.01}, validation: [{name: mix, metric: accuracy, max_drop: 0.5, min_rows: 9}]}\n"
    )
    assert [(each.name, each.by, each.share, each.seed) for each in config.split.validation] == [
        ("fresh", "when", 0.1, 5), ("far", "origin", 0.2, 9), ("mix", "late", 0.1, 5), ("any", None, 0.1, 5),
    ]  # fmt: skip
    assert [(each.name, each.metric, each.max_drop, each.min_rows) for each in config.gate.validation] == [
        ("fresh", "roc_auc", 0.01, 200), ("far", "roc_auc", 0.01, 200), ("mix", "accuracy", 0.5, 9),
        ("any", "roc_auc", 0.01, 200),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "strategy"),
    [
        ("", "stratified"),
        ("  group: city\n", "group"),
        ("  time: when\n  group: city\nsplit: {strategy: time}\n", "time"),
        ("  time: when\n", "stratified"),
    ],
)
def test_folds_are_as_strict_as_the_data_are_known_to_need(
    loaded: Callable[[str], ModelConfig], minimal: str, more: str, strategy: str
) -> None:
    data, train = "  target: late\n", "  entrypoint: train:build_model\n"
    text = minimal.replace(data, data + more).replace(train, train + "  search: {space: {x: [1]}, cv: 7}\n")
    search = loaded(text).train.search
    assert search is not None
    assert search.cv == CrossValidationConfig(folds=7, strategy=strategy)


def test_ranges_and_lists_to_search(loaded: Callable[[str], ModelConfig], minimal: str) -> None:
    space = "{depth: [3, null], rate: {min: 0.01, max: 1, log: true}, trees: {min: 10, max: 90, integer: true}}"
    train = "  entrypoint: train:build_model\n"
    search = loaded(minimal.replace(train, f"{train}  search: {{space: {space}, method: random}}\n")).train.search
    assert search is not None
    assert search.space == {
        "depth": (3, None),
        "rate": Range(min=0.01, max=1, log=True),
        "trees": Range(min=10, max=90, integer=True),
    }
    assert (search.candidates, search.factor) == (30, None)


def test_the_schemas_defaults_are_those_that_are_filled_in(minimal: str) -> None:
    """An editor shows the defaults of the JSON Schema; they must be the true ones."""
    from mlops_ci.config.validation import schema_of

    filled = with_defaults(
        {
            **read(minimal.encode(), "mlops.yaml").value,
            "train": {"entrypoint": "t:b", "search": {"space": {"x": [1]}}},
            "image": {"repository": "acme/x"},
            "gate": {"slices": [{"by": "a", "max_drop": 0}]},
        }
    )
    definitions = schema_of(MODEL_SCHEMA)["$defs"]
    checked = 0

    def compare(schema: dict[str, Any], value: Any, where: str) -> None:
        nonlocal checked
        schema = {**definitions[schema["$ref"].removeprefix("#/$defs/")], **schema} if "$ref" in schema else schema
        if "default" in schema and where not in ("environments", "gate.slices"):
            checked += 1
            assert value == schema["default"], where
        if isinstance(value, dict):
            for key, part in schema.get("properties", {}).items():
                assert "default" not in part or key in value, f"{where}.{key}"
                if key in value:
                    compare(part, value[key], f"{where}.{key}".removeprefix("."))
        elif isinstance(value, list) and value and "properties" in schema.get("items", {}):
            compare({"properties": schema["items"]["properties"]}, value[0], f"{where}[]")

    compare({key: value for key, value in schema_of(MODEL_SCHEMA).items() if key != "default"}, filled, "")
    for environment in filled["environments"].values():
        compare(definitions["environment"], environment, "environments.*")
    assert checked > 20, "the walk has found the defaults"
