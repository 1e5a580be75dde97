"""The stand-in for the AzureRM provider, and what our modules for Azure are to it.

Nothing here was ever applied to Azure: the real `terraform` validates, plans and applies, and the stand-in knows the
provider's schema (tests/infra/azurerm).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.core.infrastructure_plan import planned_changes, refused
from tests.infra.azurerm import extract
from tests.infra.azurerm.stand_in import Azure
from tests.infra.composed import modules, root_of_examples, root_of_tests
from tests.infra.terraform import INFRA, Terraform, TerraformFailed, changes, copied

AZURE = modules(INFRA, "azure")
ROOT = """
terraform {
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 4.55, < 5.0"
    }
  }
}

provider "azurerm" {
  features {}
}

resource "azurerm_storage_account" "this" {
  name                     = "acmemlstore"
  resource_group_name      = "acme-ml"
  location                 = "westeurope"
  account_tier             = "Standard"
  account_replication_type = "LRS"

  blob_properties {
    versioning_enabled = true
  }
}
"""


@pytest.fixture(scope="module")
def root(azure: Azure, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    folder = tmp_path_factory.mktemp("root")
    (folder / "main.tf").write_text(ROOT)
    terraform = azure.terraform(folder)
    terraform.init()
    return terraform


@pytest.mark.terraform
@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        pytest.param("account_tier ", "acount_tier ", "Unsupported argument", id="misspelt"),
        pytest.param('  account_tier             = "Standard"\n', "", "Missing required argument", id="missing"),
        pytest.param("= true", '= "perhaps"', "Incorrect attribute value type", id="wrongly typed"),
        pytest.param("blob_properties", "blob_property", "Unsupported block type", id="a block that is none"),
        pytest.param("blob_properties {", "blob_properties {}\n  blob_properties {", "Too many", id="two blocks"),
        pytest.param("acmemlstore", "acme-ml-store", "Azure would refuse this name", id="a name against the rules"),
        pytest.param('"LRS"', '"ONCE"', "Azure would refuse this account_replication_type", id="none of the values"),
        pytest.param("storage_account", "storage_acount", "Invalid resource type", id="a resource that is none"),
    ],
)
def test_the_stand_in_refuses(root: Terraform, written: str, instead: str, said: str) -> None:
    assert written in ROOT
    (root.folder / "main.tf").write_text(ROOT.replace(written, instead, 1))
    assert said in " ".join(each["summary"] for each in root.validate())


@pytest.mark.terraform
def test_what_cannot_be_changed_is_replaced_and_all_else_is_not(root: Terraform) -> None:
    (root.folder / "main.tf").write_text(ROOT)
    root.apply()
    assert changes(root.plan()) == {}
    (root.folder / "main.tf").write_text(ROOT.replace('"LRS"', '"ZRS"'))
    assert changes(root.plan()) == {"azurerm_storage_account.this": ["update"]}
    (root.folder / "main.tf").write_text(ROOT.replace("westeurope", "northeurope"))
    assert changes(root.plan()) == {"azurerm_storage_account.this": ["delete", "create"]}
    root.destroy()


def test_the_schemas_are_those_of_what_is_used() -> None:
    text = "".join(path.read_text() for path in INFRA.rglob("*.tf"))
    schemas = json.loads(extract.TARGET.read_text())
    assert set(re.findall(r'(?m)^resource "(azurerm_\w+)"', text)) == set(schemas["resources"])
    assert set(re.findall(r'(?m)^data "(azurerm_\w+)"', text)) == set(schemas["data_sources"])
    assert set(schemas["resources"]) == {f"azurerm_{name}" for name in extract.RESOURCES}
    assert (schemas["package"], schemas["licence"]) == (extract.PACKAGE, extract.LICENCE)


@pytest.mark.terraform
def test_the_modules_own_tests(azure: Azure, infra: Path) -> None:
    root = azure.terraform(root_of_tests(infra / "azure-tests", modules(infra, "azure")))
    root.init()
    said = root.test()
    assert re.search(r"\n\S*Success!.* \d+ passed, 0 failed", said), said


@pytest.mark.terraform
def test_the_examples_of_the_readmes(azure: Azure, infra: Path) -> None:
    folder = root_of_examples(infra / "azure-readmes", infra, modules(infra, "azure"))
    root = azure.terraform(folder)
    root.init()
    made: list[dict[str, Any]] = root.plan()["resource_changes"]
    assert {each["change"]["actions"][0] for each in made} <= {"create", "read"}
    for example in folder.glob("*/main.tf"):
        assert any(each["module_address"].startswith(f"module.{example.parent.name}.") for each in made), example


@pytest.mark.parametrize("module", AZURE, ids=lambda module: module.name)
def test_each_module_says_that_it_was_never_applied(module: Path) -> None:
    assert "never applied to Azure" in (module / "README.md").read_text()


@pytest.mark.terraform
def test_the_example_is_applied_to_the_stand_in_and_destroyed(azure: Azure, tmp_path: Path) -> None:
    example = copied(tmp_path) / "examples/azure-complete"
    platform = azure.terraform(example / "platform")
    platform.init()
    # The README's own settings.
    settings = re.search(r"(?s)```hcl\n(name .*?)```", (example / "README.md").read_text())
    assert settings
    (platform.folder / "terraform.tfvars").write_text(settings[1])
    made = platform.apply()
    assert changes(platform.plan()) == {}
    assert made["repository_variables"]["flight-delay"]["MLOPS_STORE"] == "az://mlops"
    assert set(made["environment_variables"]["flight-delay"]) == {"mlops-ci-admit", "qa", "production"}

    serving = azure.terraform(example / "serving")
    (serving.folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    serving.init()
    given = made["variables"]["flight-delay"]
    first, second = "1" * 64, "2" * 64

    def plan(*, ended: tuple[str, ...] = (), **shares: int) -> dict[str, list[str]]:
        planned = serving.plan({**given, "serving": releases(shares)})
        assert refused(planned_changes(planned), ended=ended) == ()  # what the target asks before it applies
        return changes(planned)

    assert set(plan(one=0)) == {*of_release(first), f"{SCORING}.azurerm_private_dns_cname_record.environment"}
    serving.apply(file="plan")
    assert plan(one=100) == {f"{SCORING}.azurerm_private_dns_cname_record.environment": ["update"]}
    serving.apply(file="plan")
    assert plan(one=100, two=0) == {address: ["create"] for address in of_release(second)}
    serving.apply(file="plan")
    assert plan(one=0, two=100) == {f"{SCORING}.azurerm_private_dns_cname_record.environment": ["update"]}
    serving.apply(file="plan")
    # To stop a release removes what bears its id, and nothing else.
    assert plan(ended=(first,), two=100) == {address: ["delete"] for address in of_release(first)}
    outputs = serving.apply(file="plan")
    assert outputs["url"] == "http://flight-delay.qa.ml.internal:8080/qa/flight-delay"
    assert set(outputs["releases"]) == {second}
    assert outputs["serving"]["releases"][second]["share"] == 100
    with pytest.raises(TerraformFailed, match="A share is 0 or 100 here"):
        plan(one=10, two=90)

    serving.destroy({**given, "serving": releases({"two": 100})})
    platform.destroy()
    assert "resources" not in json.loads(platform.said("show", "-json")).get("values", {}).get("root_module", {})


SCORING = "module.scoring"
IDS = {"one": "1" * 64, "two": "2" * 64}


def releases(shares: dict[str, int]) -> dict[str, Any]:
    """The variable `serving` with these releases, as the target gives it."""
    listed = {
        IDS[name]: {
            "image": f"acmeml.example/flight-delay@sha256:{number:064x}",
            "version": number,
            "share": shares[name],
            "arguments": ["--base-path=/qa/flight-delay"],
        }
        for number, name in enumerate(IDS, 1)
        if name in shares
    }
    return {"environment": "qa", "model": "flight-delay", "releases": listed}


def of_release(release: str) -> set[str]:
    kinds = ("azurerm_container_group.this", "azurerm_private_dns_a_record.release")
    return {f'{SCORING}.{kind}["{release}"]' for kind in kinds}
