"""The harness's own judgement of which workflow an event starts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.act.events import accepts


def pull(action: str, base: str = "main") -> dict[str, Any]:
    return {"action": action, "pull_request": {"base": {"ref": base}}}


RUN = {"action": "completed", "workflow": {"name": "Model"}, "workflow_run": {"head_branch": "topic"}}
PUSH = {"ref": "refs/heads/main"}


@pytest.mark.parametrize(
    ("on", "event", "payload", "changed", "starts"),
    [
        pytest.param("push", "push", PUSH, [], True, id="a word"),
        pytest.param(["push"], "pull_request", pull("opened"), [], False, id="another event"),
        pytest.param({"pull_request": None}, "pull_request", pull("synchronize"), [], True, id="a push to it"),
        pytest.param({"pull_request": None}, "pull_request", pull("closed"), [], False, id="closed is not asked for"),
        pytest.param({"pull_request": {"types": ["closed"]}}, "pull_request", pull("closed"), [], True, id="types"),
        pytest.param({"push": {"branches": ["main"]}}, "push", {"ref": "refs/heads/x"}, [], False, id="branches"),
        pytest.param({"push": {"branches-ignore": ["mlops-ci/**"]}}, "push",
                     {"ref": "refs/heads/mlops-ci/a/b"}, [], False, id="branches-ignore"),
        pytest.param({"push": {"paths": ["environments/**"]}}, "push", PUSH, ["train.py"], False, id="paths"),
        pytest.param({"push": {"paths": ["**", "!environments/**"]}}, "push", PUSH,
                     ["environments/qa/x.yaml"], False, id="excluded paths"),
        pytest.param({"push": {"paths-ignore": ["environments/**"]}}, "push", PUSH,
                     ["environments/qa/x.yaml", "train.py"], True, id="one path that is not ignored"),
        pytest.param({"schedule": [{"cron": "0 1 * * *"}]}, "schedule", {"schedule": "0 1 * * *"}, [], True, id="cron"),
        pytest.param({"workflow_run": {"workflows": ["Model"], "types": ["completed"]}}, "workflow_run", RUN, [],
                     True, id="after a run"),
        pytest.param({"workflow_run": {"workflows": ["Other"]}}, "workflow_run", RUN, [], False, id="after another"),
    ],
)  # fmt: skip
def test_filters(on: Any, event: str, payload: dict[str, Any], changed: list[str], starts: bool) -> None:
    assert accepts(on, event, payload, changed) is starts
