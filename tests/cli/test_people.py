"""What people say about releases on the command line, and what becomes of them: reviews, holds, later verifications."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.repository import Repository, copied, make_repository

ASKING = "approvals: {required: 1}"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """One release in production, and a second one in QA that is proposed for it."""
    repository = make_repository(tmp_path_factory.mktemp("people") / "team")
    repository.commit()
    try:
        assert repository.run("release").code == 0
        assert repository.run("promote", "--to", "production").code == 0
        repository.edit("mlops.yaml", "C: 1.0", "C: 0.2")
        repository.edit("mlops.yaml", "approvals: {required: 0}", ASKING)
        repository.edit(
            "mlops.yaml", "alpha: 0.05}", "alpha: 0.05}\n  ships: [first, superior, non-inferior, inconclusive]"
        )
        repository.commit()
        assert repository.run("release").code == 0
        yield repository
    finally:
        repository.stop_services()


def of(repository: Repository, environment: str) -> dict[str, object]:
    rows = repository.run("status").value["environments"]
    return next(row for row in rows if row["environment"] == environment)


def kinds(repository: Repository) -> list[str]:
    return [event["kind"] for event in repository.run("history").value["events"]]


def test_a_person_finds_the_pull_request_reads_it_and_approves(released: Repository, capsys: object) -> None:
    (pull,) = released.run("approve").value["pull_requests"]
    assert pull["title"] == "Promote late version 2 to production"
    assert "params train.params.C 1.0" in pull["body"]
    promotion = of(released, "production")["promotion"]
    assert isinstance(promotion, dict)
    assert (promotion["pull_request"], promotion["required"], promotion["missing"]) == (pull["number"], 1, 1)
    assert released.run("promote", "--to", "production").code == 14
    assert released.run("approve", str(pull["number"]), "--reviewer", "a\nb").code == 2
    assert released.run("approve", str(pull["number"]), "--reviewer", "grace").code == 0
    (again,) = released.run("approve").value["pull_requests"]
    assert [review["reviewer"] for review in again["reviews"]] == ["grace"]
    assert of(released, "production")["promotion"] == {
        **promotion,
        "approved_by": ["grace"],
        "missing": 0,
        "reasons": [],
    }


@pytest.mark.parametrize("reason", ["", "  ", "\u202e\n"])
def test_a_hold_needs_a_reason(released: Repository, reason: str) -> None:
    before = kinds(released)
    for command in ("hold", "release-hold", "rollback"):
        answer = released.run(command, "--environment", "production", "--reason", reason)
        assert (answer.code, "--reason says nothing" in answer.said) == (2, True)
    assert kinds(released) == before


def test_a_hold_closes_the_proposal_and_its_end_proposes_it_again(released: Repository, tmp_path: Path) -> None:
    here = copied(released, tmp_path / "team")
    held = here.run("hold", "--environment", "production", "--version", "2", "--reason", "not \x1b[31mnow\nplease")
    assert (held.code, held.value["hold"]) == (0, True)
    assert here.run("approve").value["pull_requests"] == []
    refused = here.run("promote", "--to", "production")
    assert (refused.code, "not [31mnow please" in refused.said) == (14, True)
    lifted = here.run("release-hold", "--environment", "production", "--version", "2", "--reason", "now")
    (pull,) = here.run("approve").value["pull_requests"]
    assert (lifted.code, lifted.value["pull_request"]) == (0, pull["number"])


def test_verify_in_an_environment_puts_the_answer_on_record(released: Repository) -> None:
    assert released.run("verify", "--environment", "qa", "--rate", "5").code == 2
    assert released.run("verify", "--environment", "qa", "--version", "1").code == 2
    assert released.run("verify", "--environment", "nowhere").code == 2
    assert released.run("verify", "--environment", "qa", "--url", "http://127.0.0.1:1").code == 2
    before = kinds(released)
    answer = released.run("verify", "--environment", "qa")
    assert (answer.code, answer.value["recorded"], answer.value["change"]) == (0, "verified", None)
    assert kinds(released) == [*before, "verified"]


def test_what_fails_later_is_taken_back_and_can_no_longer_be_promoted(released: Repository) -> None:
    """The last test of this repository: QA goes back to version 1."""
    first = of(released, "production")["release"]
    released.edit("mlops.yaml", "latency_p99_ms: 5000", "latency_p99_ms: 0.0001")
    answer = released.run("verify", "--environment", "qa")
    assert answer.code == 13, answer.said
    assert (answer.value["recorded"], answer.value["version"], answer.value["ok"]) == ("verification-revoked", 2, False)
    change = answer.value["change"]
    assert (change["outcome"], change["release"], change["rejected"]) == ("rolled-back", first, answer.value["release"])
    assert len(answer.value["closed"]) == 1
    assert of(released, "qa")["release"] == first
    refused = released.run("promote", "--to", "production", "--version", "2")
    assert (refused.code, "was revoked: latency" in refused.said) == (13, True)
    assert released.run("approve").value["pull_requests"] == []
    assert released.run("verify-log").code == 0
