"""Users who score all the time see no failure while real commands move them from release to release and back."""

from __future__ import annotations

from pathlib import Path

from tests.adapters.traffic import Traffic
from tests.delivery.test_on_this_machine import monorepo

PERSON = {"height": 180.0, "age": 30, "colour": "red"}
ROLLOUT = "{steps: [50, 100], window: 0s}"


def test_no_user_sees_a_failure_through_promotions_and_a_rollback(tmp_path: Path) -> None:
    with monorepo(tmp_path / "repository") as repository:
        repository.edit("a", ROLLOUT, "{steps: [10, 50, 100], window: 1s, shadow: 1s}")
        old = str(repository.deliver("a")["release"])
        with Traffic(repository.target.url("production", "a"), clients=2, records=[PERSON]) as users:
            users.wait_for(old)
            repository.edit("a", "C: 1.0", "C: 0.5")
            new = str(repository.deliver("a")["release"])
            users.wait_for(new)
            assert users.failures == []
            assert repository.run("rollback", "a", "--reason", "people complain")["release"] == old
            users.wait_for(old)
        assert users.failures == []
        assert set(users.served) == {old, new}
        repository.require_settled("a")
