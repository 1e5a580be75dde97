"""What a live service is asked, and by which name its faults go."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlops_ci.config.types import ParityConfig
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.probes import Probes
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
        self.sizes: list[int] = []

    def metadata(self, url: str, model: str) -> Mapping[str, Any]:
        if self.fault == "no metadata":
            raise OutsideError("there is no metadata")
        return {"inputs": [{"name": "y"}]} if self.fault == "other inputs" else super().metadata(url, model)

    def score(self, url: str, records: Sequence[Mapping[str, Any]], signature: Signature) -> Answer:
        self.sizes.append(len(records))
        if any((record.get("x") or 0) > 1e30 for record in records) and self.fault in (
            "fails on the refused",
            "refuses",
        ):
            status = "500: a defect" if self.fault == "fails on the refused" else "422: no answer"
            return Answer(predictions=None, release=RELEASE.id, milliseconds=1.0, error=f"status {status}")
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


def ask(fault: str, golden: GoldenRows = GOLDEN, client: Faulty | None = None) -> Verification:
    limits = ParityConfig(atol=1e-4, max_flips=0)
    client = client or Faulty(fault)
    return verify(client, "memory://qa", release=RELEASE, signature=SIGNATURE, golden=golden, limits=limits)


def adversarial(*, answers: list[float], refused: int = 0) -> GoldenRows:
    """The golden rows with extremes: these answers, and beyond 1e30 rows to which the native model had none."""
    x = np.array([*answers, *[1e39] * refused])
    probes = Probes(
        columns={"x": x}, kinds=["extreme"] * len(x), changes=[("x",)] * len(x), answers=Predictions(values=x.copy()),
        refused=x > 1e30,
    )  # fmt: skip
    return replace(GOLDEN, probes=probes)


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


def test_adversarial_rows_are_asked_too_in_requests_of_bounded_size() -> None:
    client = Faulty("")
    verification = ask("", adversarial(answers=[0.5] * 1200), client)
    assert verification.ok
    assert max(client.sizes) <= 500
    (check,) = [check for check in verification.to_json()["checks"] if check["name"] == "golden-rows"]
    assert [(kind["kind"], kind["rows"]) for kind in check["parity"]["kinds"]] == [("holdout", 120), ("extreme", 1200)]
    assert "1200 of them adversarial" in check["detail"]


def test_a_wrong_answer_to_an_adversarial_row_is_enough() -> None:
    golden = adversarial(answers=[0.5, 0.25])
    assert golden.probes is not None
    golden.probes.answers.values[1] = 0.75
    verification = ask("", golden)
    assert [check.name for check in verification.failed] == ["golden-rows"]
    with pytest.raises(VerificationError, match="by kind of row: extreme 1 and 0; columns that matter: x"):
        verification.require()


@pytest.mark.parametrize(("fault", "names"), [("", []), ("refuses", []), ("fails on the refused", ["golden-rows"])])
def test_a_row_that_the_native_model_refuses_may_be_refused_or_answered_but_not_failed_on(
    fault: str, names: list[str]
) -> None:
    verification = ask(fault, adversarial(answers=[0.5], refused=2))
    assert [check.name for check in verification.failed] == names
    if names:
        assert "a row that the native model refuses too (extreme: x): status 500" in verification.failed[0].detail


def test_of_many_rows_that_the_native_model_refuses_some_are_asked() -> None:
    client = Faulty("")
    assert ask("", adversarial(answers=[0.5], refused=1000), client).ok
    assert client.sizes.count(1) <= 100 + 50 + 1 + 1
