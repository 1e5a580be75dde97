"""What a live service is asked, and by which name its faults go: here with services in memory."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from mlops_ci.config.types import ParityConfig, VerificationConfig
from mlops_ci.core.digest import sha256
from mlops_ci.core.load import LoadPlan, Sent, Traffic
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.probes import Probes
from mlops_ci.core.records import MODEL_FILE, Release
from mlops_ci.core.signature import Signature
from mlops_ci.errors import OutsideError, VerificationError
from mlops_ci.pipeline.checks import Verification
from mlops_ci.pipeline.golden import GoldenRows
from mlops_ci.pipeline.load import RESIDENT_MEMORY, resident_megabytes
from mlops_ci.pipeline.verify import verify
from mlops_ci.ports import Answer, Reply
from tests.delivery.world import RECORDS, SIGNATURE, Line, Machine, MemoryClient

GRAPH = sha256(json.dumps(vars(Line())).encode())
BUILD = "b" * 64
RELEASE = Release(
    model="tides", version=1, lock="l", commit="c", files={MODEL_FILE: GRAPH}, image="registry/tides@sha256:1",
    evidence={"build": BUILD},
)  # fmt: skip
GOLDEN = GoldenRows(records=RECORDS, answers=Predictions(values=np.array([record["x"] for record in RECORDS])))
LOAD = VerificationConfig(rate=20, duration=timedelta(seconds=2))
NAMES = ["health", "metadata", "wrong-release", "wrong-model", "golden-rows", "contract"]
UNDER_LOAD = ["errors", "latency", "rate", "memory"]
SECRET = "Jane Doe of 12 Elm Street"


class Faulty(MemoryClient):
    """A service with one fault, by name."""

    def __init__(self, fault: str) -> None:
        line = Line(slope={"wrong": 2.0, "another graph": 1.0 + 1e-7, "a little off": 1.0}.get(fault, 1.0))
        release = "f" * 64 if fault == "another release" else RELEASE.id
        super().__init__(Machine(running={"qa": {} if fault == "nobody" else {release: line}}))
        self.machine.shares["qa"] = {release: 100}
        self.fault = fault
        self.sizes: list[int] = []

    def ask(self, url: str, path: str, **more: Any) -> Reply:
        reply = super().ask(url, path, **more)
        whole = {
            "nothing listens": Reply(failure="connection refused: nothing listens there", reached=False),
            "hangs": Reply(failure="no whole answer within 5 s"),
            "redirects": Reply(status=302, headers={"location": "https://login.example/?to=/v2"}),
            "a login page": Reply(status=200, headers={"content-type": "text/html"}, body=b"<html>Sign in"),
        }
        of_metrics = {
            "no metrics": Reply(status=404),
            "metrics of nothing": Reply(status=200, body=b"mlops_ci_rows_total 3\n"),
            "large": Reply(status=200, body=b"process_resident_memory_bytes 2e+09\n"),
        }
        by_status = {
            ("takes anything", 422): Reply(status=200, body=b"{}"),
            ("fails on bad input", 400): replace(reply, status=500),
            ("fails on bad input", 422): replace(reply, status=500),
            ("says nothing of the field", 422): replace(reply, body=b'{"error": "no"}'),
            ("errors in HTML", 404): Reply(status=404, headers={"content-type": "text/html"}, body=b"<html>nginx"),
        }
        if path == "/metrics":
            return of_metrics.get(self.fault, reply)
        return whole.get(self.fault) or by_status.get((self.fault, reply.status), reply)

    def metadata(self, url: str, model: str) -> Mapping[str, Any]:
        if self.fault == "no metadata":
            raise OutsideError("there is no metadata")
        metadata = dict(super().metadata(url, model))
        properties = {**metadata["properties"], "build": BUILD}
        changes: dict[str, dict[str, Any]] = {
            "other inputs": {"inputs": [{"name": "y", "datatype": "FP64"}]},
            "an input of another type": {"inputs": [{"name": "x", "datatype": "BYTES"}]},
            "other outputs": {"outputs": []},
            "another version": {"versions": ["2"]},
            "another task": {"properties": {**properties, "task": "binary-classification"}},
            "no properties": {"properties": None},
            "senseless metadata": {"inputs": 7, "outputs": ["prediction"]},
            "another image": {"properties": {**properties, "build": "0" * 64}},
            "no image": {"properties": {**properties, "build": None}},
        }
        return {**metadata, "properties": properties, **changes.get(self.fault, {})}

    def score(self, url: str, records: Sequence[Mapping[str, Any]], signature: Signature) -> Answer:
        self.sizes.append(len(records))
        answer = super().score(url, records, signature)
        if answer.predictions is None:
            return answer
        single, first = len(records) == 1, records[0]["x"] == 0.0
        beyond = any((record["x"] or 0) > 1e30 for record in records)
        errors = {
            "fails on the refused": (beyond, "status 500"),
            "refuses": (beyond, "status 422"),
            "single rows fail": (single, "status 503"),
            "fails, and says what it got": (True, "status 500"),
        }
        values = {
            "a little off": (True, answer.predictions.scores[:, 0] + 1e-5),
            "not finite": (True, np.full(len(records), np.nan)),
            "too few": (True, np.zeros(1)),
            "sometimes wrong": (single and first, np.array([0.5])),
        }
        if self.fault in errors and errors[self.fault][0]:
            return replace(answer, predictions=None, error=errors[self.fault][1], words=SECRET)
        if self.fault in values and values[self.fault][0]:
            return replace(answer, predictions=Predictions(values=values[self.fault][1]))
        return replace(answer, release="e" * 64) if single and first and "sometimes another" in self.fault else answer

    def infer(
        self, url: str, model: str, records: Sequence[Mapping[str, Any]], signature: Signature, *, binary: bool
    ) -> Answer:
        answer = super().infer(url, model, records, signature, binary=binary)
        if self.fault == "infer answers otherwise":
            return replace(answer, predictions=Predictions(values=np.zeros(len(records))))
        if self.fault == "no binary" and binary:
            return replace(answer, predictions=None, error="status 400")
        return answer

    def load(
        self, url: str, plan: LoadPlan, records: Sequence[Mapping[str, Any]], signature: Signature,
        judge: Callable[[int, Answer], str],
    ) -> Traffic:  # fmt: skip
        traffic = super().load(url, plan, records, signature, judge)
        if self.fault == "slow":
            return replace(traffic, sent=[dataclasses.replace(each, done=each.done + 0.3) for each in traffic.sent])
        if self.fault == "a slow prober":
            return replace(traffic, sent=[self._late(each) for each in traffic.sent])
        if self.fault == "dies":
            dead = [replace(each, error="connection refused: nothing listens there") for each in traffic.sent[9:]]
            return replace(traffic, sent=[*traffic.sent[:9], *dead])
        if self.fault == "stalls for good":
            return replace(traffic, sent=traffic.sent[:30], unsent=10)
        return traffic

    def _late(self, sent: Sent) -> Sent:
        return replace(sent, sent=sent.sent + 0.5, done=sent.done + 0.5)


def ask(
    fault: str, golden: GoldenRows = GOLDEN, client: Faulty | None = None, *, load: bool = False, in_image: bool = False
) -> Verification:
    limits = ParityConfig(atol=1e-4, max_flips=0)
    client = client or Faulty(fault)
    return verify(
        client, "memory://qa", release=RELEASE, signature=SIGNATURE, golden=golden, limits=limits,
        in_image=in_image, load=LOAD if load else None,
    )  # fmt: skip


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
    verification = ask(fault, load=True, in_image=True)
    assert verification.ok, verification.failed
    assert {check.name for check in verification.checks} == {*NAMES, "wrong-image", *UNDER_LOAD}
    verification.require()
    value = json.loads(json.dumps(verification.to_json(), allow_nan=False))
    assert (value["ok"], value["load"]["requests"], value["load"]["memory_mb"]) == (True, 40, 50.0)


def test_without_a_load_there_is_none() -> None:
    verification = ask("")
    assert [check.name for check in verification.checks] == NAMES
    assert verification.to_json()["load"] is None


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        ("nobody", ["health"]),
        ("hangs", ["health"]),
        ("redirects", ["health"]),
        ("a login page", ["health"]),
        ("no metadata", ["metadata"]),
        ("other inputs", ["metadata"]),
        ("an input of another type", ["metadata"]),
        ("other outputs", ["metadata"]),
        ("another version", ["metadata"]),
        ("another task", ["metadata"]),
        ("senseless metadata", ["metadata"]),
        ("no properties", ["metadata", "wrong-release", "wrong-model"]),
        ("another graph", ["wrong-model"]),
        ("wrong", ["wrong-model", "golden-rows"]),
        ("not finite", ["golden-rows"]),
        ("too few", ["golden-rows"]),
        ("infer answers otherwise", ["golden-rows"]),
        ("no binary", ["golden-rows"]),
        ("another release", ["wrong-release"]),
        ("takes anything", ["contract"]),
        ("fails on bad input", ["contract"]),
        ("says nothing of the field", ["contract"]),
        ("errors in HTML", ["contract"]),
    ],
)
def test_each_fault_is_found_and_named(fault: str, names: list[str]) -> None:
    verification = ask(fault)
    assert [check.name for check in verification.failed] == names
    with pytest.raises(VerificationError, match=names[0]) as caught:
        verification.require()
    assert RELEASE.id[:12] in caught.value.where
    assert [problem.name for problem in caught.value.problems] == names
    assert not verification.to_json()["ok"]


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        ("slow", ["latency"]),
        ("large", ["memory"]),
        ("no metrics", ["memory"]),
        ("metrics of nothing", ["memory"]),
        ("single rows fail", ["errors", "latency"]),
        ("sometimes another release", ["errors"]),
        ("sometimes wrong", ["errors"]),
        ("dies", ["errors"]),
        ("stalls for good", ["errors", "rate"]),
    ],
)
def test_each_fault_under_load_is_found_and_named(fault: str, names: list[str]) -> None:
    verification = ask(fault, load=True)
    assert [check.name for check in verification.failed] == names
    assert not verification.undecided


def test_a_prober_that_is_too_slow_fails_the_rate_and_blames_nobody() -> None:
    verification = ask("a slow prober", load=True)
    assert [check.name for check in verification.failed] == ["rate"]
    assert "latency" not in {check.name for check in verification.checks}, "it is not known"
    with pytest.raises(OutsideError, match="rate: the prober itself sent requests up to 500 ms late") as caught:
        verification.require()
    assert caught.value.exit_code == 20


def test_an_address_that_nobody_answers_is_outside_unless_it_is_known_that_the_service_runs() -> None:
    verification = ask("nothing listens")
    assert [check.name for check in verification.failed] == ["health"]
    with pytest.raises(OutsideError, match="connection refused"):
        verification.require()
    with pytest.raises(VerificationError, match="connection refused"):
        verification.of_a_running_service().require()


@pytest.mark.parametrize(("fault", "word"), [("another image", "instead of"), ("no image", "does not say which")])
def test_an_image_is_asked_for_where_one_is_due(fault: str, word: str) -> None:
    assert ask(fault).ok
    (check,) = ask(fault, in_image=True).failed
    assert check.name == "wrong-image"
    assert word in check.detail


def test_without_golden_rows_nothing_speaks_for_a_release() -> None:
    nothing = GoldenRows(records=[], answers=Predictions(values=np.array([])))
    assert [check.name for check in ask("", nothing, load=True).failed] == ["golden-rows"]


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
    assert client.sizes.count(1) <= 100 + 1


@pytest.mark.parametrize("fault", ["fails, and says what it got", "single rows fail"])
def test_what_a_service_says_of_a_row_is_repeated_nowhere(fault: str) -> None:
    verification = ask(fault, load=True)
    with pytest.raises(VerificationError) as caught:
        verification.require()
    assert SECRET not in json.dumps(verification.to_json())
    assert SECRET not in str(caught.value)
    assert "status 50" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "megabytes"),
    [
        (f"{RESIDENT_MEMORY} 7.5e+07", 75.0),
        (f"{RESIDENT_MEMORY} 75000000 1700000000000", 75.0),
        (f"# HELP {RESIDENT_MEMORY} of all workers\n{RESIDENT_MEMORY} 1000000\nother 3", 1.0),
        ("", None),
        (RESIDENT_MEMORY, None),
        (f"{RESIDENT_MEMORY} NaN", None),
        (f"{RESIDENT_MEMORY} +Inf", None),
        (f"{RESIDENT_MEMORY} -1", None),
        (f"{RESIDENT_MEMORY} 0", None),
        (f"{RESIDENT_MEMORY} many", None),
        (f"{RESIDENT_MEMORY}_total 5", None),
        (f"{RESIDENT_MEMORY} 5\n{RESIDENT_MEMORY} 6", None),
    ],
)
def test_what_metrics_say_of_memory(line: str, megabytes: float | None) -> None:
    assert resident_megabytes(line + "\n") == megabytes
