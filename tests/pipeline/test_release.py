"""From a candidate to a release: one number, one release, however often it is asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_ci.core.gate import Waived
from mlops_ci.core.records import MODEL_FILE, SIGNATURE_FILE
from mlops_ci.errors import ParityError
from mlops_ci.pipeline import release as release_module
from mlops_ci.pipeline.proposal_text import evidence_text
from mlops_ci.pipeline.release import released
from tests.delivery.world import MODEL, Line, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


def test_the_same_candidate_is_the_same_release(world: World) -> None:
    first = world.register(Line())
    assert world.register(Line()) == first
    assert world.kinds() == ["registered"]
    assert world.register(Line(slope=2.0)).version == 2
    assert released(world.log, world.site().registry, MODEL, first.lock) == first
    assert released(world.log, world.site().registry, MODEL, "0" * 64) is None
    assert set(first.files) == {MODEL_FILE, SIGNATURE_FILE}
    assert {"golden", "lock", "profile"} <= set(first.evidence)


def test_runs_that_race_for_one_candidate_make_one_release(world: World) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = set(pool.map(lambda _: world.register(Line()).id, range(8)))
    assert len(made) == 1
    assert world.kinds() == ["registered"]


def test_a_model_that_could_not_be_converted_is_no_release(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = release_module.Registration
    monkeypatch.setattr(
        "tests.delivery.world.Registration",
        lambda **given: real(
            **{**given, "candidate": replace(given["candidate"], onnx=None, refusal="KBins is refused")}
        ),
    )
    with pytest.raises(ParityError, match="KBins is refused"):
        world.register(Line())
    assert world.kinds() == []


def test_what_a_reviewer_is_told(world: World) -> None:
    made = world.register(Line())
    evaluation = {
        "verdict": "superior",
        "reasons": [],
        "primary": {"metric": "rmse", "champion": 2.0, "challenger": 1.5, "difference": 0.5, "lower": 0.25},
    }
    verification = {
        "checks": [
            {"name": "health", "ok": True, "detail": "ready"},
            {"name": "golden-rows", "ok": False, "detail": "2 flips"},
        ]
    }
    text = evidence_text(made, evaluation, verification)
    assert "Version 1 of **tides**" in text
    assert "verdict: **superior** — no objection" in text
    assert "rmse: 2.0000 → 1.5000, better by +0.5000 (at least +0.2500)" in text
    assert "- health: ok — ready" in text
    assert "- golden-rows: FAILED — 2 flips" in text
    assert made.evidence["golden"] in text
    assert evidence_text(made, None, None).startswith("Version 1 of")


def waived(verdict: str, *findings: str) -> Waived:
    return Waived(verdict=verdict, reason="agreed", approver="ada", expires="2026-12-31", findings=findings)


def test_a_waiver_that_let_something_pass_is_on_the_log_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    found = (waived("guardrail", "log_loss is 0.5, above 0.4"), waived("slice-regression", "carrier AA: worse"))
    real = release_module.Registration
    monkeypatch.setattr("tests.delivery.world.Registration", lambda **given: real(**given, waived=found))

    made = world.register(Line())
    world.register(Line())

    assert world.kinds() == ["waived", "waived", "registered"]
    first = world.log.read(MODEL)[0]
    assert first.subject == {
        "verdict": "guardrail", "reason": "agreed", "approver": "ada", "expires": "2026-12-31", "lock": made.lock,
        "findings": ["log_loss is 0.5, above 0.4"],
    }  # fmt: skip
    # another candidate that needs the same waiver is another use of it
    world.register(Line(slope=2.0))
    assert world.kinds().count("waived") == 4


def test_a_release_that_was_killed_after_its_waivers_does_not_repeat_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = release_module.Registration
    monkeypatch.setattr(
        "tests.delivery.world.Registration", lambda **given: real(**given, waived=(waived("parity", "1 flip"),))
    )
    with monkeypatch.context() as killed:
        killed.setattr("mlops_ci.pipeline.registry.Registry.claim_version", _killed)
        with pytest.raises(KeyboardInterrupt):
            world.register(Line())
    assert world.kinds() == ["waived"]
    world.register(Line())
    assert world.kinds() == ["waived", "registered"]


def _killed(*_: object, **__: object) -> int:
    raise KeyboardInterrupt
