"""What a live service is asked, and by which name its faults go."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from mlops_ci.config.types import ParityConfig
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.records import Release
from mlops_ci.core.signature import Signature
from mlops_ci.errors import OutsideError, VerificationError
from mlops_ci.pipeline.golden import GoldenRows
from mlops_ci.pipeline.verify import Verification, verify
from mlops_ci.ports import Answer
from tests.delivery.world import RECORDS, SIGNATURE, Line, Machine, MemoryClient

RELEASE = Release(model="tides", version=1, lock="l", commit="c", files={}, image=None, evidence={})
GOLDEN = GoldenRows(records=RECORDS, answers=Predictions(values=np.array([record["x"] for record in RECORDS])))


class Faulty(MemoryClient):
    """A service with one fault, by name."""

    def __init__(self, fault: str) -> None:
        line = Line(slope={"wrong": 2.0, "a little off": 1.0 + 1e-5}.get(fault, 1.0))
        release = "f" * 64 if fault == "another release" else RELEASE.id
        super().__init__(Machine(running={"qa": {} if fault == "nobody" else {release: line}}))
        self.machine.shares["qa"] = {release: 100}
        self.fault = fault

    def metadata(self, url: str, model: str) -> Mapping[str, Any]:
        if self.fault == "no metadata":
            raise OutsideError("there is no metadata")
        return {"inputs": [{"name": "y"}]} if self.fault == "other inputs" else super().metadata(url, model)

    def score(self, url: str, records: Sequence[Mapping[str, Any]], signature: Signature) -> Answer:
        if self.fault == "takes anything" and "x" not in records[0]:
            records = RECORDS[:1]
        answer = super().score(url, records, signature)
        if self.fault == "single rows fail" and len(records) == 1 and "x" in records[0]:
            return dataclasses.replace(answer, predictions=None, error="status 503: busy")
        if self.fault == "not finite" and answer.predictions is not None:
            return dataclasses.replace(answer, predictions=Predictions(values=np.full(len(records), np.nan)))
        if self.fault == "too few" and answer.predictions is not None:
            return dataclasses.replace(answer, predictions=Predictions(values=np.zeros(1)))
        return answer


def ask(fault: str, golden: GoldenRows = GOLDEN) -> Verification:
    limits = ParityConfig(atol=1e-4, max_flips=0)
    return verify(Faulty(fault), "memory://qa", release=RELEASE, signature=SIGNATURE, golden=golden, limits=limits)


@pytest.mark.parametrize("fault", ["", "a little off"])
def test_a_good_service_passes_every_check(fault: str) -> None:
    verification = ask(fault)
    assert verification.ok
    assert [check.name for check in verification.checks] == [
        "health",
        "metadata",
        "golden-rows",
        "contract",
        "single-rows",
    ]
    verification.require()


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        ("nobody", ["health"]),
        ("no metadata", ["metadata"]),
        ("other inputs", ["metadata"]),
        ("wrong", ["golden-rows"]),
        ("not finite", ["golden-rows"]),
        ("too few", ["golden-rows"]),
        ("another release", ["wrong-release"]),
        ("takes anything", ["contract"]),
        ("single rows fail", ["single-rows"]),
    ],
)
def test_each_fault_is_found_and_named(fault: str, names: list[str]) -> None:
    verification = ask(fault)
    assert [check.name for check in verification.failed] == names
    with pytest.raises(VerificationError, match=names[0]) as caught:
        verification.require()
    assert RELEASE.id[:12] in caught.value.where
    assert not verification.to_json()["ok"]


def test_without_golden_rows_nothing_speaks_for_a_release() -> None:
    nothing = GoldenRows(records=[], answers=Predictions(values=np.array([])))
    assert [check.name for check in ask("", nothing).failed] == ["golden-rows", "single-rows"]
