"""What a release has to pass is as the main branch has it, whatever is in the work tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_ci.cli.console import StderrConsole
from mlops_ci.cli.context import Context
from mlops_ci.cli.delivery import site_of
from mlops_ci.cli.demo_world import DEMO_ENVIRONMENT
from mlops_ci.config.loading import load
from mlops_ci.errors import ConfigurationError
from mlops_ci.pipeline.site import Site
from tests.cli.repository import Repository

OWN = "approvals: {required: 0}, rollout: {steps: [100], window: 0s}"
STRICT = "approvals: {required: 1, from: [ada, eve]}, soak: 1h, windows: [{days: [monday]}], freeze: [{reason: x}]"


def site(repository: Repository, name: str = "production") -> Site:
    context = Context(
        directory=repository.folder, store_url=None, environment=DEMO_ENVIRONMENT, console=StderrConsole(quiet=True)
    )
    return site_of(context, load(repository.folder / "mlops.yaml"), name)


def test_the_work_tree_cannot_weaken_it(repository: Repository) -> None:
    repository.edit("mlops.yaml", OWN, STRICT)
    repository.write("mlops.yaml", "risk: high\n" + (repository.folder / "mlops.yaml").read_text())
    repository.commit("strict")
    strict = site(repository)
    repository.git("switch", "-q", "-c", "mine")
    repository.edit("mlops.yaml", STRICT, OWN)
    repository.edit("mlops.yaml", "risk: high\n", "")
    repository.edit("mlops.yaml", "  qa: {target: process}\n", "")
    for step in ("edited", "committed on a branch"):
        found = site(repository)
        assert found.environment.approvals == strict.environment.approvals, step
        assert (found.environment.soak, found.environment.windows) == (
            strict.environment.soak,
            strict.environment.windows,
        )
        assert found.environment.freezes == strict.environment.freezes
        assert (found.risk, found.chain, found.before) == ("high", ("qa", "production"), "qa")
        assert found.environment.rollout.steps == (100,), "how it is rolled out is the work tree's"
        if step == "edited":
            repository.commit("mine")
    repository.git("switch", "-q", "main")
    repository.git("merge", "-q", "mine")
    assert (site(repository).environment.approvals.required, site(repository).chain) == (0, ("production",))


def test_what_main_does_not_know_yet_is_taken_from_the_work_tree(repository: Repository) -> None:
    repository.commit()
    repository.edit("mlops.yaml", "  production: {", "  staging: {}\n  production: {")
    assert site(repository, "staging").chain == ("qa", "staging", "production")
    assert site(repository).chain == ("qa", "production")


def test_a_file_of_main_that_cannot_be_used_is_named(repository: Repository) -> None:
    good = (repository.folder / "mlops.yaml").read_text()
    repository.write("mlops.yaml", good + "colour: red\n")
    repository.commit("broken")
    repository.write("mlops.yaml", good)
    with pytest.raises(ConfigurationError, match=r"main:mlops\.yaml cannot be used") as caught:
        site(repository)
    assert "main:mlops.yaml:18: unknown key 'colour'" in str(caught.value)


def test_a_model_of_a_monorepo(repository: Repository, tmp_path: Path) -> None:
    outer = Repository(tmp_path)
    outer.commit("all teams")
    repository.edit("mlops.yaml", "approvals: {required: 0}", "approvals: {required: 3}")
    assert site(repository).environment.approvals.required == 0
