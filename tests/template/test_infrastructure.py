"""The question `infrastructure`: what comes into a team's repository works there, far from the toolkit's own tree."""

from __future__ import annotations

import re
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from mlops_ci.adapters import templates
from mlops_ci.adapters.template_infrastructure import infrastructure_files
from mlops_ci.config.loading import find_models
from mlops_ci.config.loading import load as load_config
from mlops_ci.errors import ConfigurationError
from tests.infra.azurerm.stand_in import azure_stand_in
from tests.infra.terraform import INFRA, Installation, Terraform, installed
from tests.template.toolkit import Team

ROOT = Path(__file__).parents[2]
ADDRESSES = {"address": "git::https://forge/us/tools//[path]?ref=v9", "page": "https://forge/us/tools/blob/main/[path]"}
ANSWERS = ("aws", "azure", "kubernetes")
TARGETS = {
    "none": ["process", "process"], "aws": ["terraform", "terraform"], "azure": ["terraform", "kubernetes"],
    "kubernetes": ["kubernetes", "kubernetes"],
}  # fmt: skip


def rendered(folder: Path, kind: str, answer: str) -> Path:
    templates.render(templates.load(kind), {"infrastructure": answer}, folder)
    return folder


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return installed(tmp_path_factory.mktemp("terraform"))


@pytest.fixture(scope="module")
def toolkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toolkit's infra/ of now, as Git serves the release that templates name."""
    folder = tmp_path_factory.mktemp("toolkit")
    shutil.copytree(INFRA, folder / "infra", ignore=shutil.ignore_patterns(".terraform", ".terraform.lock.hcl"))
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@acme.example")
    for command in (("init", "-q"), ("add", "-A"), (*who, "commit", "-q", "-m", "all"), ("tag", "v1")):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize("kind", templates.kinds())
@pytest.mark.parametrize("answer", ["none", *ANSWERS])
def test_environments_have_the_targets_of_the_answer(tmp_path: Path, kind: str, answer: str) -> None:
    folder = rendered(tmp_path / "team", kind, answer)
    for path in find_models(folder):
        config = load_config(path)
        assert [environment.target for environment in config.environments] == TARGETS[answer]
        for environment in config.environments:
            places = [getattr(environment.terraform, "directory", ""), getattr(environment.kubernetes, "overlay", "")]
            named = [place for place in places if place]
            assert len(named) == (answer != "none")
            assert all((config.root / place).is_dir() for place in named)
        assert (config.image is not None) == (answer != "none")
    assert (folder / "infra").exists() == (answer != "none")


@pytest.mark.parametrize("answer", ANSWERS)
def test_nothing_in_it_points_out_of_the_repository(tmp_path: Path, answer: str) -> None:
    folder = rendered(tmp_path / "team", "tabular-regression", answer)
    for path in (folder / "infra").rglob("*"):
        if not path.is_file():
            continue
        for found in re.findall(r'["( ]((?:\.\./)+[\w./-]+)', path.read_text(encoding="utf-8")):
            assert (path.parent / found).resolve().is_relative_to(folder), f"{path}: {found}"
    assert (folder / "infra/README.md").is_file()


@pytest.mark.terraform
@pytest.mark.parametrize("answer", ["aws", "azure"])
def test_terraform_takes_it_with_modules_of_the_named_release(
    tmp_path: Path, toolkit: Path, terraform: Installation, answer: str
) -> None:
    folder = rendered(tmp_path / "team", "tabular-regression", answer)
    instead = {
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.file://{toolkit}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/mlops-ci/mlops-ci",
    }  # fmt: skip
    roots = sorted({path.parent for path in (folder / "infra").rglob("versions.tf")})
    assert roots
    with ExitStack() as stack:
        if answer == "azure":
            instead |= stack.enter_context(azure_stand_in(terraform, tmp_path)).environment
        for root in roots:
            run = Terraform(folder=root, installation=terraform, environment=instead)
            run.init("-backend=false")
            assert run.validate() == []


@pytest.mark.parametrize("answer", ["azure", "kubernetes"])
def test_kustomize_takes_it(tmp_path: Path, answer: str) -> None:
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed")
    folder = rendered(tmp_path / "team", "tabular-regression", answer) / "infra"
    for name in ("overlays/qa", "overlays/production", "platform", "gitops"):
        theirs = "cluster" if (answer, name) == ("azure", "platform") else name  # beside Terraform's platform
        made = subprocess.run(
            ["kubectl", "kustomize", str(folder / theirs)], capture_output=True, text=True, check=False
        )
        assert made.returncode == 0, made.stderr
        ours = subprocess.run(
            ["kubectl", "kustomize", str(INFRA / "examples/kubernetes" / name)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert made.stdout == ours.stdout


def test_an_answer_can_be_changed_and_a_repository_of_before_the_questions_stays_as_it_is(tmp_path: Path) -> None:
    team = Team(rendered(tmp_path / "team", "tabular-regression", "none"))
    record = team.folder / ".mlops-template.yaml"
    asked = re.sub(r"  (pipelines|infrastructure): .*\n", "", record.read_text())
    record.write_text(asked)
    team.commit("as an earlier version of the template left it")
    before = team.state()

    answer = team.update()
    changed = {name for name, data in team.state().items() if before.get(name) != data}
    assert (answer.code, changed) == (0, {".mlops-template.yaml"}), answer.said
    team.commit("the answers are on record now")

    answer = team.update("--answer", "infrastructure=aws", "--answer", "pipelines=gitlab")
    assert answer.code == 0, answer.said
    assert {".gitlab-ci.yml", "CODEOWNERS", "infra/serving/services.tf"} <= set(answer.value["added"])
    assert ".github/workflows/release.yml" in answer.value["removed"]
    assert "target: terraform" in team.text("mlops.yaml")
    team.commit("on GitLab, in AWS")

    answer = team.update("--answer", "infrastructure=none", "--answer", "pipelines=github")
    assert answer.code == 0, answer.said
    assert {name for name in team.state() if name.startswith("infra/")} == set()
    assert {name: data for name, data in team.state().items() if name not in (record.name, ".mlops-template.zip")} == {
        name: data for name, data in before.items() if name not in (record.name, ".mlops-template.zip")
    }


def test_addresses_name_the_release_and_what_kustomize_needs_comes_along(tmp_path: Path) -> None:
    own = tmp_path / "infra/examples"
    for name, text in {
        "aws-complete/serving/services.tf": 'module "a" {\n  source  = "../../../modules/aws/network"\n}\n',
        "aws-complete/README.md": "[m](../../modules/aws/network/README.md) [h](serving/) [w](https://x/../y)\n",
        "aws-complete/serving/.terraform/modules/x.tf": "litter",
        "aws-complete/serving/terraform.tfstate": "litter",
    }.items():
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text(text)
    assert infrastructure_files(tmp_path, "aws", **ADDRESSES) == {
        "infra/README.md": b"[m](https://forge/us/tools/blob/main/infra/modules/aws/network/README.md) [h](serving/) "
        b"[w](https://x/../y)\n",
        "infra/serving/services.tf": b'module "a" {\n'
        b'  source  = "git::https://forge/us/tools//infra/modules/aws/network?ref=v9"\n}\n',
    }
    assert infrastructure_files(tmp_path, "none", **ADDRESSES) == {}
    with pytest.raises(ConfigurationError, match="no infra/examples/azure-complete"):
        infrastructure_files(tmp_path, "azure", **ADDRESSES)
