"""`backtest` as people run it: a policy file, its mistakes with their lines, and the table."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import pytest

from mlops_ci.cli.main import main
from tests.cli.repository import CONFIG, Repository

STRICT = "gate:\n  primary: {metric: log_loss, margin: 0.01}\n  guardrails: [{metric: log_loss, max: 0.001}]\n"


def test_a_stricter_policy_would_have_blocked(judged: Repository) -> None:
    judged.write("strict.yaml", STRICT)

    answer = judged.run("backtest", "--policy", "strict.yaml")

    assert answer.code == 0
    assert (answer.value["replayed"], answer.value["changed"], answer.value["not_replayable"]) == (1, 1, 0)
    (one,) = answer.value["evaluations"]
    assert (one["verdict_then"], one["ships_then"]) == ("first", True)
    assert (one["verdict_now"], one["ships_now"]) == ("guardrail", False)
    assert one["why"].startswith("guardrail: log_loss is")
    assert one["lock"] == judged.run("train").value["lock"]


def test_the_same_file_says_the_same(judged: Repository) -> None:
    answer = judged.run("backtest", "late", "--policy", "mlops.yaml")
    assert (answer.code, answer.value["changed"]) == (0, 0)
    judged.write("same.yaml", "gate:\n  primary: {metric: roc_auc, margin: 0.005, alpha: 0.05}\n")
    assert judged.run("backtest", "--policy", "same.yaml").value["changed"] == 0


def test_what_people_read(judged: Repository) -> None:
    judged.write("strict.yaml", STRICT)
    out = io.StringIO()
    with redirect_stdout(out):
        assert main(["backtest", "--policy", "strict.yaml", "--quiet", "-C", str(judged.folder)]) == 0
    said, head, row = out.getvalue().splitlines()
    assert said == "late: 1 verdicts, 1 would change under strict.yaml"
    assert head.split() == ["when", "version", "lock", "then", "now", "ships", "then", "now", "why"]
    assert row.split()[2:8] == ["-", judged.run("train").value["lock"][:12], "first", "guardrail", "yes", "no"]
    assert row.index("guardrail") == head.index("now")


def test_nothing_was_judged_yet(repository: Repository) -> None:
    answer = repository.run("backtest", "--policy", "mlops.yaml")
    assert (answer.code, answer.value["evaluations"]) == (0, [])


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            "gate:\n  primary: {metric: rmse}\n",
            [("policy.yaml:2", "gate.primary.metric is 'rmse', which does not suit")],
        ),
        (
            "gate:\n  looks: 0\n  guardrails:\n    - {metric: log_loss}\n",
            [("policy.yaml:2", "gate.looks must be at least 1"), ("policy.yaml:4", "has neither min nor max")],
        ),
        ("gate:\n  validation: [{name: far}]\n", [("policy.yaml:2", "split.validation declares no such set")]),
        (
            "gate: {}\nsplit: {seed: 1}\n",
            [("policy.yaml:2", "key 'split' is no part of a policy")],
        ),
        ("parity: {atol: 1}\n", [("policy.yaml:1", "'parity' is no part"), ("policy.yaml:1", "there is no section")]),
        ("gate: {}\ngate: {}\n", [("policy.yaml:2", "key 'gate' is written twice")]),
        (CONFIG.replace("alpha: 0.05", "alpha: 5"), [("policy.yaml:13", "gate.primary.alpha must be less than 0.5")]),
    ],
)
def test_mistakes_of_the_policy_have_their_lines(
    repository: Repository, text: str, problems: list[tuple[str, str]]
) -> None:
    repository.write("policy.yaml", text)
    answer = repository.run("backtest", "--policy", "policy.yaml")
    assert answer.code == 2
    found = answer.error["problems"]
    assert [one["where"] for one in found] == [where for where, _ in problems]
    assert all(what in one["what"] and one["fix"] for one, (_, what) in zip(found, problems, strict=True))


def test_a_policy_that_cannot_be_judged_or_read_is_refused(repository: Repository) -> None:
    repository.write("policy.yaml", "gate: {guardrails: [{metric: image_mb, max: 9}]}\n")
    answer = repository.run("backtest", "--policy", "policy.yaml")
    assert answer.code == 2
    assert "image_mb" in answer.said
    answer = repository.run("backtest", "--policy", "nowhere.yaml")
    assert answer.code == 2
    assert "nowhere.yaml" in answer.said
    assert repository.run("backtest").code == 2
