"""Fills in what a valid `mlops.yaml` leaves out, and makes the frozen configuration of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from mlops_ci.config.diagnostics import complete_diagnostics, with_diagnostics_defaults
from mlops_ci.config.durations import duration
from mlops_ci.config.environments import (
    DEFAULT_ENVIRONMENTS,
    complete_environment,
    with_environment_defaults,
)
from mlops_ci.config.schema_types import DataSchema
from mlops_ci.config.search import complete_search, with_search_defaults
from mlops_ci.config.types import (
    CardConfig,
    DataConfig,
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
    SliceConfig,
    SplitConfig,
    TrainConfig,
    ValidationConfig,
    ValidationSetConfig,
    VerificationConfig,
    WaiverConfig,
)
from mlops_ci.config.vocabulary import DEFAULT_METRIC
from mlops_ci.core.serving import LogConfig, ServingConfig

Values = Mapping[str, Any]
_VERIFICATION = {"rate": 20, "duration": "2s", "latency_p99_ms": 250, "error_rate": 0, "memory_mb": 1024}
_LOG = {"sample": 1.0, "redact": [], "max_mb": 64, "keep": 1}


def complete(value: Values, *, path: Path, schema: DataSchema | None) -> ModelConfig:
    """The configuration that the valid `value` of the file at `path` declares."""
    filled = with_defaults(value)
    parity = filled["parity"]
    image = filled.get("image")
    return ModelConfig(
        root=path.parent,
        path=path,
        model=filled["model"],
        task=filled["task"],
        data=_data(filled["data"], schema),
        split=_split(filled["split"]),
        train=_train(filled["train"]),
        gate=_gate(filled["gate"]),
        parity=ParityConfig(atol=float(parity["atol"]), max_flips=int(parity["max_flips"])),
        card=CardConfig(**{**filled["card"], "owners": tuple(filled["card"]["owners"])}),
        image=ImageConfig(**image) if image else None,
        verification=_verification(filled["verification"]),
        serving=_serving(filled["serving"], schema),
        environments=tuple(complete_environment(name, each) for name, each in filled["environments"].items()),
        monitor=_monitor(filled["monitor"]),
        retrain=_retrain(filled["retrain"]),
        risk=filled["risk"],
        shared=tuple(filled["shared"]),
        log=EventLogConfig(**filled["log"]),
    )


def with_defaults(value: Values) -> dict[str, Any]:
    """A valid file's value with every default written out: valid itself, and complete, so filling it changes nothing.

    What has no default (such as `data.id`, `train.search`, `image`) stays away.
    """
    task = value["task"]
    strategy = "random" if task == "regression" else "stratified"
    filled = {"risk": "normal", "shared": [], "log": {}, **value} | {
        "data": {"features": [], **value["data"]},
        "split": _split_with_defaults({"strategy": strategy} | value.get("split", {}), value["data"]),
        "train": {"params": {}, "engine": "local", "seed": 0, "threads": 2} | value["train"],
        "gate": _gate_with_defaults(
            value.get("gate", {}), DEFAULT_METRIC[task], value.get("split", {}).get("validation", ())
        ),
        "parity": {"atol": 1e-5, "max_flips": 0} | value.get("parity", {}),
        "verification": _VERIFICATION | value.get("verification", {}),
        "serving": _serving_with_defaults(value.get("serving", {})),
        "environments": with_environment_defaults(
            value.get("environments", DEFAULT_ENVIRONMENTS), workers=value.get("serving", {}).get("workers", 1)
        ),
        "monitor": {"window": "7d", "false_alarms_per_month": 1.0, "min_rows": 200} | value.get("monitor", {}),
        "retrain": {"on": [], "cooldown": "1d"} | value.get("retrain", {}),
    }
    if "search" in value["train"]:
        filled["train"]["search"] = with_search_defaults(value["train"]["search"], filled)
    filled["train"]["diagnostics"] = with_diagnostics_defaults(value["train"].get("diagnostics", {}))
    prose = dict.fromkeys(("description", "intended_use", "out_of_scope", "limitations"), "")
    filled["card"] = {**prose, "owners": [], **value.get("card", {})}
    if "image" in value:
        filled["image"] = {"base": "python:3.11-slim", "push": True} | value["image"]
    return filled


def _split_with_defaults(split: Values, data: Values) -> dict[str, Any]:
    """A validation set goes by the column that plays the part in the data, unless it names another."""
    filled: dict[str, Any] = {"holdout": 0.2, "seed": 0, "validation": [], **split}
    columns = {"group": data.get("group"), "time": data.get("time"), "stratified": data["target"]}
    filled["validation"] = [
        ({"by": columns[each["strategy"]]} if each["strategy"] in columns else {})
        | {"share": 0.1, "seed": filled["seed"]}
        | each
        for each in filled["validation"]
    ]
    return filled


def _gate_with_defaults(gate: Values, metric: str, validation_sets: Sequence[Values]) -> dict[str, Any]:
    primary = {"metric": metric, "margin": 0.0, "alpha": 0.05} | gate.get("primary", {})
    slices = [{"metric": primary["metric"], "min_rows": 200} | each for each in gate.get("slices", ())]
    limits = {each["name"]: each for each in gate.get("validation", ())}
    validation = [
        {"name": each["name"], "metric": primary["metric"], "max_drop": primary["margin"], "min_rows": 200}
        | limits.get(each["name"], {})
        for each in validation_sets
    ]
    fairness = [{"min_rows": 200} | each for each in gate.get("fairness", ())]
    lists: dict[str, Any] = {"guardrails": [], "waivers": [], "ships": ["first", "superior"]}
    judged = {"primary": primary, "slices": slices, "validation": validation, "fairness": fairness}
    return lists | {"looks": 20, "spending": "front", "resamples": 2000} | dict(gate) | judged


def _serving_with_defaults(serving: Values) -> dict[str, Any]:
    return {"workers": 1, **serving, "log": _LOG | serving.get("log", {})}


def _data(data: Values, schema: DataSchema | None) -> DataConfig:
    optional = {key: data.get(key) for key in ("id", "time", "group", "prepare")}
    return DataConfig(
        source=data["source"], target=data["target"], features=tuple(data["features"]), schema=schema, **optional
    )


def _split(split: Values) -> SplitConfig:
    sets = (
        ValidationSetConfig(
            name=each["name"],
            strategy=each["strategy"],
            by=each.get("by"),
            share=float(each["share"]),
            seed=int(each["seed"]),
        )
        for each in split["validation"]
    )
    return SplitConfig(
        strategy=split["strategy"], holdout=float(split["holdout"]), seed=int(split["seed"]), validation=tuple(sets)
    )


def _train(train: Values) -> TrainConfig:
    return TrainConfig(
        entrypoint=train["entrypoint"],
        params=train["params"],
        search=complete_search(train["search"]) if "search" in train else None,
        engine=train["engine"],
        seed=int(train["seed"]),
        threads=int(train["threads"]),
        diagnostics=complete_diagnostics(train["diagnostics"]),
    )


def _gate(gate: Values) -> GateConfig:
    primary = gate["primary"]
    return GateConfig(
        primary=PrimaryConfig(metric=primary["metric"], margin=float(primary["margin"]), alpha=float(primary["alpha"])),
        guardrails=tuple(_guardrail(each) for each in gate["guardrails"]),
        slices=tuple(_slice(each) for each in gate["slices"]),
        validation=tuple(_validation(each) for each in gate["validation"]),
        fairness=tuple(_fairness(each) for each in gate["fairness"]),
        looks=int(gate["looks"]),
        spending=gate["spending"],
        waivers=tuple(
            WaiverConfig(**{**each, "expires": date.fromisoformat(each["expires"])}) for each in gate["waivers"]
        ),
        ships=tuple(gate["ships"]),
        resamples=int(gate["resamples"]),
    )


def _guardrail(guardrail: Values) -> GuardrailConfig:
    return GuardrailConfig(metric=guardrail["metric"], min=_limit(guardrail, "min"), max=_limit(guardrail, "max"))


def _limit(limited: Values, key: str) -> float | None:
    return None if limited.get(key) is None else float(limited[key])


def _slice(each: Values) -> SliceConfig:
    return SliceConfig(
        by=each["by"], metric=each["metric"], max_drop=float(each["max_drop"]), min_rows=int(each["min_rows"])
    )


def _validation(each: Values) -> ValidationConfig:
    return ValidationConfig(
        name=each["name"], metric=each["metric"], max_drop=float(each["max_drop"]), min_rows=int(each["min_rows"])
    )


def _fairness(each: Values) -> FairnessConfig:
    return FairnessConfig(
        by=each["by"],
        metric=each["metric"],
        min=_limit(each, "min"),
        max=_limit(each, "max"),
        min_rows=int(each["min_rows"]),
    )


def _verification(verification: Values) -> VerificationConfig:
    return VerificationConfig(
        rate=int(verification["rate"]),
        duration=duration(verification["duration"]),
        latency_p99_ms=float(verification["latency_p99_ms"]),
        error_rate=float(verification["error_rate"]),
        memory_mb=float(verification["memory_mb"]),
    )


def _serving(serving: Values, schema: DataSchema | None) -> ServingConfig:
    """Private columns are never written, whether they are listed or not."""
    log = serving["log"]
    private = [column.name for column in schema.columns if column.private] if schema else []
    return ServingConfig(
        workers=int(serving["workers"]),
        log=LogConfig(
            sample=float(log["sample"]),
            redact=tuple(dict.fromkeys([*log["redact"], *private])),
            max_mb=int(log["max_mb"]),
            keep=int(log["keep"]),
        ),
    )


def _monitor(monitor: Values) -> MonitorConfig:
    return MonitorConfig(
        window=duration(monitor["window"]),
        false_alarms_per_month=float(monitor["false_alarms_per_month"]),
        min_rows=int(monitor["min_rows"]),
    )


def _retrain(retrain: Values) -> RetrainConfig:
    return RetrainConfig(
        schedule=retrain.get("schedule"), on=tuple(retrain["on"]), cooldown=duration(retrain["cooldown"])
    )
