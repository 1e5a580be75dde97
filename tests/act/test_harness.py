"""The harness itself: a workflow of its own that does what ours must not do, and what the stand-ins must notice."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_ci.adapters import templates
from tests.act.leaks import leaks
from tests.act.running import act_program
from tests.act.team import Team, team_with
from tests.act.tokens import declared, separate
from tests.act.toolkit import ROOT

CALLER = """\
name: Model
on: {pull_request: , push: {branches: [main]}}
permissions: {}
jobs:
  model:
    permissions: {contents: read}
    uses: mlops-ci/mlops-ci/.github/workflows/work.yml@v1
    secrets: {app-private-key: "${{ secrets.MLOPS_APP_PRIVATE_KEY }}"}
"""
AFTERWARDS = """\
name: Afterwards
on: {workflow_run: {workflows: [Model], types: [completed]}}
permissions: {}
jobs:
  look:
    uses: mlops-ci/mlops-ci/.github/workflows/look.yml@v1
    permissions: {actions: read}
"""
LOOK = """\
on: {workflow_call: }
permissions: {}
jobs:
  look:
    runs-on: ubuntu-24.04
    permissions:
      actions: read
    steps:
      - uses: actions/download-artifact@37930b1c2abaa49bbe596cd826c3c89aef350131
        with:
          pattern: "found-*"
          path: found
          run-id: ${{ github.event.workflow_run.id }}
          github-token: ${{ github.token }}
      - run: cat found/found-a/text && echo "$HEAD" >> "$GITHUB_STEP_SUMMARY"
        env: {HEAD: "${{ github.event.workflow_run.head_repository.full_name }}"}
"""
WORK = """\
on:
  workflow_call:
    secrets: {app-private-key: {required: false}}
permissions: {}
jobs:
  plan:
    runs-on: ubuntu-24.04
    permissions: {contents: read}
    outputs: {matrix: "${{ steps.names.outputs.matrix }}"}
    steps:
      - uses: actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd
        with: {persist-credentials: false, fetch-depth: 0}
      - id: names
        run: |
          git rev-parse HEAD^{tree} HEAD~1 origin/main
          git fetch origin 2>/dev/null && exit 1
          echo 'matrix={"include": [{"name": "a"}, {"name": "b"}]}' >> "$GITHUB_OUTPUT"
  train:
    needs: plan
    runs-on: ubuntu-24.04
    strategy: {matrix: "${{ fromJSON(needs.plan.outputs.matrix) }}"}
    steps:
      - run: mkdir -p .mlops/out/.hidden && echo "$NAME" > .mlops/out/text && touch .mlops/out/.hidden/x
        env: {NAME: "${{ matrix.name }} ${{ secrets.app-private-key != '' }}"}
      - uses: actions/upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f
        with: {name: "found-${{ matrix.name }}", path: .mlops/out}
      - run: echo "key=$KEY"; test "$NAME" = a
        if: vars.CARELESS == 'yes'
        env: {KEY: "${{ secrets.app-private-key }}", NAME: "${{ matrix.name }}"}
  own:
    if: github.event_name == 'push'
    needs: train
    runs-on: ubuntu-24.04
    steps:
      - id: app
        uses: actions/create-github-app-token@d72941d797fd3113feb6b93fd0dec494b13a2547
        with: {app-id: "1", private-key: "${{ secrets.app-private-key }}"}
      - run: test -n "$TOKEN"
        env: {TOKEN: "${{ steps.app.outputs.token }}"}
  gate:
    if: always()
    needs: [plan, train, own]
    runs-on: ubuntu-24.04
    steps:
      - run: test "$RESULT" = success
        env: {RESULT: "${{ needs.train.result }}"}
"""


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    repository, toolkit = tmp_path / "repository", tmp_path / "toolkit"
    for path, text in (
        (repository / ".github/workflows/model.yml", CALLER),
        (repository / ".github/workflows/afterwards.yml", AFTERWARDS),
        (repository / "readme", "a model\n"),
        (toolkit / ".github/workflows/work.yml", WORK),
        (toolkit / ".github/workflows/look.yml", LOOK),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if path.is_relative_to(toolkit):
            separate(toolkit, path)
    with team_with(repository, tmp_path / "team", toolkit) as made:
        yield made
        # what the workflow's own `git fetch` tried, with no credentials
        assert set(made.hub.invalid) <= {f"GET /{made.hub.repository}/info/refs: the stand-in has no such operation"}
        made.hub.invalid.clear()


def test_a_pull_request_runs_its_merge_and_what_follows_it(team: Team) -> None:
    team.branch("topic")
    (team.clone / "readme").write_text("another model\n", encoding="utf-8")
    head = team.push("Another")
    number = team.hub.open_pull_request(branch="topic", user="dana", title="Another")
    model, afterwards = team.settle()
    assert (model.event, model.results) == ("pull_request", {"plan": "success", "train": "success", "gate": "success"})
    assert model.uploaded == {"found-a": ["text"], "found-b": ["text"]}
    tree, first, main = model.job("plan").log.split()[-3:]
    merged = team.git("rev-parse", f"refs/pull/{number}/merge^2", cwd=team.remote)
    assert (merged, first) == (head, main)
    assert tree == team.git("rev-parse", f"{head}^{{tree}}")
    assert (afterwards.event, afterwards.ok, afterwards.summary) == ("workflow_run", True, f"{team.hub.repository}\n")
    assert leaks(team) == []


def test_a_fork_gets_no_secrets(team: Team) -> None:
    fork = team.hub.fork("mallory")
    team.branch("topic")
    (team.clone / "readme").write_text("mine\n", encoding="utf-8")
    team.push("Mine", to=fork)
    team.hub.open_pull_request(branch="topic", user="mallory", title="Mine", fork="mallory/models")
    model, afterwards = team.settle()
    assert model.ok, model.log
    assert (model.artifacts / "found-a" / "text").read_text() == "a false\n"
    assert afterwards.summary == "mallory/models\n"


def test_what_a_job_says_of_a_secret_is_found(team: Team) -> None:
    team.variables["CARELESS"] = "yes"
    (team.clone / "readme").write_text("careless\n", encoding="utf-8")
    team.push("Careless")
    model, _ = team.settle()
    assert model.event == "push"
    assert (model.ok, model.results) == (False, {"plan": "success", "train": "failure", "gate": "failure"})
    assert leaks(team) == ["MLOPS_APP_PRIVATE_KEY in the log of push: work"]


def test_the_app_token_is_nowhere_but_where_it_is_handed_over(team: Team) -> None:
    (team.clone / "readme").write_text("pushed\n", encoding="utf-8")
    team.push("Pushed")
    model, _ = team.settle()
    assert model.results["own"] == "success", model.log
    assert leaks(team) == []


@pytest.mark.parametrize("kind", ["", *templates.kinds()])
def test_act_takes_the_workflows_as_they_are(kind: str, tmp_path: Path) -> None:
    """The other tests run copies in which tokens are told apart; whoever runs ours by act has no such copy."""
    workflows = ROOT / ".github" / "workflows"
    if kind:
        templates.render(templates.load(kind), {}, tmp_path / "team")
        workflows = tmp_path / "team" / ".github" / "workflows"
    done = subprocess.run(
        [act_program(), "--validate", "--strict", "--workflows", str(workflows)],
        env={"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_job_may_what_it_declares_and_its_caller_grants(tmp_path: Path) -> None:
    workflow = tmp_path / "work.yml"
    workflow.write_text(LOOK, encoding="utf-8")
    assert declared(workflow, {"actions": "write"}) == {"look": {"actions": "read"}}
    with pytest.raises(AssertionError, match=r"look asks for .*'actions': 'read'.*caller grants"):
        declared(workflow, {})
    separate(tmp_path, workflow)
    assert "github-token: ${{ vars.TOKEN_OF_LOOK }}" in workflow.read_text()
