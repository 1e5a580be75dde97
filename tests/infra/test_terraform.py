"""Where Terraform's providers are looked for, and what becomes of the tests where there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.infra import terraform
from tests.infra.terraform import changes, found_mirrors, installed


def mirror(folder: Path) -> Path:
    (folder / "registry.example/hashicorp/aws/5.100.0").mkdir(parents=True)
    return folder


def test_the_named_folder_comes_first_then_the_configured_ones_then_the_usual(tmp_path: Path) -> None:
    home, system = tmp_path / "home", tmp_path / "opt"
    usual, plugins = mirror(system / "plugins"), mirror(home / ".terraform.d/plugins")
    configured = mirror(tmp_path / "configured")
    (system / "other/thing").mkdir(parents=True)

    assert list(found_mirrors({"HOME": str(home)}, system)) == [usual, plugins]

    (home / ".terraformrc").write_text(
        'provider_installation {\n  # path = "/old"\n  filesystem_mirror {\n'
        f'    include = ["*/*/*"]\n    path = "{configured}"\n  }}\n  direct {{}}\n}}\n'
    )
    assert list(found_mirrors({"HOME": str(home)}, system)) == [configured]
    elsewhere = {"HOME": str(home), "TF_CLI_CONFIG_FILE": str(tmp_path / "missing")}
    assert list(found_mirrors(elsewhere, system)) == [usual, plugins]
    assert list(found_mirrors({"HOME": str(home), "MLOPS_TERRAFORM_MIRROR": "/named"}, system)) == [Path("/named")]


@pytest.mark.parametrize(
    ("environment", "outcome"), [({}, pytest.skip.Exception), ({"CI": "true"}, pytest.fail.Exception)]
)
def test_without_providers_tests_are_skipped_but_fail_in_ci(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], outcome: type[BaseException]
) -> None:
    monkeypatch.setattr(terraform, "STARTED_WITH", environment)
    monkeypatch.setattr(terraform, "found_mirrors", lambda: iter(()))
    monkeypatch.setattr(terraform.shutil, "which", lambda _: "/usr/bin/terraform")
    with pytest.raises(outcome, match="MLOPS_TERRAFORM_MIRROR"):
        installed(tmp_path)


def test_without_terraform_tests_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terraform.shutil, "which", lambda _: None)
    with pytest.raises(pytest.skip.Exception, match="PATH"):
        installed(tmp_path)


def test_what_a_plan_leaves_alone_is_no_change() -> None:
    def one(address: str, *actions: str) -> dict[str, object]:
        return {"address": address, "change": {"actions": list(actions)}}

    plan = {"resource_changes": [one("a", "no-op"), one("b", "read"), one("c", "delete", "create")]}
    assert changes(plan) == {"c": ["delete", "create"]}
