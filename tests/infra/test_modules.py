"""Every module of infra/: its layout and tables, its own tests, and the examples of its README, really planned."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.infra.composed import examples, modules, root_of_examples, root_of_tests
from tests.infra.moto import Moto
from tests.infra.terraform import INFRA, Installation, Terraform, attached
from tools.reference import terraform as tables

MODULES = modules(INFRA)
COMMITTED = (".tf", ".hcl", ".md", ".json", ".tpl", ".tftpl")


def of(module: Path) -> str:
    return str(module.relative_to(INFRA))


@pytest.mark.terraform
def test_everything_is_formatted(terraform: Installation) -> None:
    said = Terraform(folder=INFRA, installation=terraform).run("fmt", "-check", "-recursive", "-diff", "-no-color")
    assert said.returncode == 0, f"{said.stdout}\nfix: terraform fmt -recursive infra"


@pytest.mark.parametrize("module", MODULES, ids=of)
def test_a_module_has_the_files_of_every_module(module: Path) -> None:
    for name in ("versions.tf", "variables.tf", "outputs.tf", "README.md"):
        assert (module / name).is_file(), name
    assert list(module.glob("tests/*.tftest.hcl")), "no tests"
    assert list(examples(module / "README.md")), "no example"
    text = "".join(path.read_text() for path in module.glob("*.tf"))
    assert 'required_version = ">= 1.10"' in text
    assert not re.search(r"(?m)^\s*(provider|backend)\s", text), "a module takes the provider of whoever calls it"
    for path in module.rglob("*"):
        assert path.is_dir() or path.suffix in COMMITTED or ".terraform" in path.parts or path.name.startswith("."), (
            path
        )


@pytest.mark.parametrize("module", MODULES, ids=of)
def test_variables_and_outputs_say_what_they_are(module: Path) -> None:
    declared = list(tables.declared(module))
    listed = "".join((module / name).read_text() for name in ("variables.tf", "outputs.tf"))
    written = len(re.findall(r'(?m)^(?:variable|output) "', listed))
    elsewhere = [path for path in module.glob("*.tf") if path.name not in {"variables.tf", "outputs.tf"}]

    assert len(declared) == written > 0
    assert not [path for path in elsewhere if re.search(r'(?m)^(variable|output) "', path.read_text())]
    for each in declared:
        assert each.description.endswith((".", ")", "`")), each.name
        assert each.kind == "output" or "type" in each.arguments, each.name


@pytest.mark.parametrize("module", MODULES, ids=of)
def test_every_validation_is_seen_to_refuse(module: Path) -> None:
    """A condition that never fails in a test may be one that never fails."""
    refused = "".join(path.read_text() for path in module.glob("tests/*.tftest.hcl"))
    named = {
        name
        for listed in re.findall(r"(?s)expect_failures = \[(.*?)\]", refused)
        for name in re.findall(r"var\.(\w+)", listed)
    }
    text = (module / "variables.tf").read_text()
    blocks = re.findall(r'(?ms)^variable "(\w+)" \{\n(.*?)^\}$', text)
    assert {name for name, body in blocks if "validation {" in body} - named == set()


@pytest.mark.terraform
def test_the_modules_own_tests(terraform: Installation, infra: Path) -> None:
    with attached(terraform) as quick:
        root = Terraform(folder=root_of_tests(infra / "aws-tests", modules(infra, "aws")), installation=quick)
        root.init()
        said = root.test()
    assert re.search(r"\n\S*Success!.* \d+ passed, 0 failed", said), said


@pytest.mark.terraform
def test_the_examples_of_the_readmes(terraform: Installation, infra: Path, moto: Moto) -> None:
    folder = root_of_examples(infra / "aws-readmes", infra, modules(infra, "aws"))
    with attached(terraform, moto.endpoint) as quick:
        root = Terraform(folder=folder, installation=quick, endpoint=moto.endpoint)
        root.init()
        plan = root.plan()

    made = plan["resource_changes"]
    assert {each["change"]["actions"][0] for each in made} <= {"create", "read"}
    for example in folder.glob("*/main.tf"):
        assert any(each["module_address"].startswith(f"module.{example.parent.name}.") for each in made), example
    rules = [
        rule
        for each in made
        if each["type"] == "aws_s3_bucket_lifecycle_configuration" and "artifact-store" in each["module_address"]
        for rule in each["change"]["after"]["rule"]
    ]
    assert rules
    for rule in rules:
        assert not rule["transition"]
        for expiration in rule["expiration"]:  # of what is current: any blob may be named by a release
            assert (expiration["days"], expiration["date"]) in {(None, None), (0, None)}
