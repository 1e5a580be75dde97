"""The real `terraform`, with its providers from a folder of this machine and the clouds that a test gives it.

Nothing is downloaded: the command's configuration, written anew for each run of the tests, knows folders of providers
only (`MLOPS_TERRAFORM_MIRROR`, or where Terraform itself and others keep such folders). Nothing of the person who runs
the tests is handed on: credentials are made up, and every address of AWS is that of a stand-in.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
STARTED_WITH = dict(os.environ)  # tests/conftest.py takes the person's own variables away before the first test
PROVIDERS = "*/hashicorp/*/*"  # a mirror holds <host>/<namespace>/<type>/<version or archive>
PLUGINS = (".terraform.d/plugins", ".local/share/terraform/plugins")
KEPT = ("PATH", "TMPDIR", "LANG", "HOME")
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIATESTKEYOFNOBODY", "AWS_SECRET_ACCESS_KEY": "the/secret+of+nobody"}
REGION = "eu-central-1"
NOWHERE = "http://127.0.0.1:9"  # the port of `discard`, where nothing listens
PATIENCE_SECONDS = 600


class TerraformFailed(AssertionError):
    """A command of Terraform that was to succeed did not; `output` is what it said."""

    def __init__(self, arguments: Sequence[str], output: str) -> None:
        super().__init__(f"terraform {' '.join(arguments)} failed:\n{output}")
        self.output = output


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Where `terraform` and the folders of its providers are, and the configuration file that names them."""

    binary: Path
    mirrors: tuple[Path, ...]
    configuration: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def with_mirror(self, mirror: Path, folder: Path) -> Installation:
        """The same with one more folder of providers; `folder` takes the new configuration file."""
        return installed(folder, (*self.mirrors, mirror))


def installed(folder: Path, mirrors: Sequence[Path] = ()) -> Installation:
    """What there is on this machine, found out once; writes the configuration file into `folder`.

    Where something is missing the test is skipped with the reason. Where CI is set, `terraform` without its providers
    is a failure: there somebody meant these tests to run.
    """
    binary = shutil.which("terraform")
    if binary is None:
        pytest.skip("there is no terraform on the PATH")
    mirrors = tuple(mirrors) or tuple(found_mirrors())
    if not mirrors:
        _missing("there is no folder of Terraform's providers: name one by MLOPS_TERRAFORM_MIRROR")
    configuration = folder / "terraform.rc"
    blocks = "".join(f"  filesystem_mirror {{\n    path = {json.dumps(str(each))}\n  }}\n" for each in mirrors)
    configuration.write_text(f"disable_checkpoint = true\nprovider_installation {{\n{blocks}}}\n")
    return Installation(binary=Path(binary), mirrors=mirrors, configuration=configuration)


def _missing(reason: str) -> NoReturn:
    if STARTED_WITH.get("CI"):
        pytest.fail(f"{reason} (and CI is set, where these tests have to run)")
    pytest.skip(reason)


def found_mirrors(environment: Mapping[str, str] = STARTED_WITH, system: Path = Path("/opt")) -> Iterator[Path]:
    """The folders of providers: the one that is named, else those of the configuration file, else the usual ones."""
    named = environment.get("MLOPS_TERRAFORM_MIRROR")
    if named:
        yield Path(named)
        return
    home = Path(environment.get("HOME", "/nonexistent"))
    configuration = Path(environment.get("TF_CLI_CONFIG_FILE") or home / ".terraformrc")
    listed: list[str] = []
    if configuration.is_file():
        text = re.sub(r"(?m)^\s*(#|//).*$", "", configuration.read_text())
        listed = re.findall(r'filesystem_mirror\s*{[^}]*?\bpath\s*=\s*"([^"]+)"', text)
    usual = [*sorted(system.glob("*")), *(home / each for each in PLUGINS)]
    for folder in [Path(each).expanduser() for each in listed] or usual:
        if any(folder.glob(PROVIDERS)):
            yield folder


@contextmanager
def attached(installation: Installation, endpoint: str = NOWHERE) -> Iterator[Installation]:
    """The same with AWS's provider as one process for all commands, as its developers run it (`-debug`).

    Otherwise each command, and each run of `terraform test`, starts the 650 MB of it several times and reads its whole
    schema. It serves one command at a time, with these credentials and this `endpoint` whatever the command's own are.
    """
    pattern = "*/hashicorp/aws/*/*/terraform-provider-aws*"
    binary = next((each for mirror in installation.mirrors for each in mirror.glob(pattern)), None)
    if binary is None:  # the mirror holds archives
        yield installation
        return
    with subprocess.Popen(
        [str(binary), "-debug"],
        env={**_kept(), **_account(endpoint)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as provider:
        assert provider.stdout is not None
        try:
            said = next(filter(None, map(re.compile("TF_REATTACH_PROVIDERS='(.*)'").search, provider.stdout)))
            yield replace(installation, environment={"TF_REATTACH_PROVIDERS": said[1]})
        finally:
            provider.terminate()


def _kept() -> dict[str, str]:
    return {name: os.environ[name] for name in KEPT if name in os.environ}


def _account(endpoint: str) -> dict[str, str]:
    """The variables by which a provider, or a backend, finds what answers as AWS."""
    return {
        **CREDENTIALS,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",  # with more of them one call that the stand-in lacks takes minutes
    }


@dataclass(frozen=True, kw_only=True)
class Terraform:
    """Terraform in one folder. `endpoint` is what answers as AWS; without one nothing does.

    Every command but `run` and `start` raises `TerraformFailed` where Terraform fails. `variables` are what a root
    module asks for, of any type that JSON has.
    """

    folder: Path
    installation: Installation
    endpoint: str = NOWHERE
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def variables_of_the_process(self) -> dict[str, str]:
        """The whole environment of a command: for those who start `terraform` by other means."""
        return {
            **_kept(),
            **_account(self.endpoint),
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_CONFIG_FILE": str(self.installation.configuration),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            **self.installation.environment,
            **self.environment,
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts a command in a session of its own, its output and errors in one pipe: for tests that end it."""
        return subprocess.Popen(
            [str(self.installation.binary), *arguments],
            cwd=self.folder,
            env=self.variables_of_the_process,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end; `stdout` has its errors, too, where it does not answer in JSON."""
        return subprocess.run(
            [str(self.installation.binary), *arguments],
            cwd=self.folder,
            env=self.variables_of_the_process,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if "-json" in arguments else subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def said(self, *arguments: str) -> str:
        """What a command that has to succeed says."""
        ran = self.run(*arguments)
        if ran.returncode:
            raise TerraformFailed(arguments, ran.stdout + (ran.stderr or ""))
        return ran.stdout

    def init(self, *arguments: str) -> str:
        return self.said("init", "-no-color", *arguments)

    def validate(self) -> list[dict[str, Any]]:
        """The problems that `validate` finds, warnings among them, each as Terraform's JSON has it; [] is good."""
        return list(json.loads(self.run("validate", "-json").stdout)["diagnostics"])

    def test(self, *arguments: str) -> str:
        return self.said("test", "-no-color", *arguments)

    def plan(self, variables: Mapping[str, Any] | None = None, *, file: str = "plan", destroy: bool = False) -> Any:
        """Plans into `file`; returns the plan as `terraform show -json` has it."""
        options = self._options(variables)
        self.said("plan", "-no-color", f"-out={file}", *(["-destroy"] if destroy else []), *options)
        return json.loads(self.said("show", "-json", file))

    def apply(self, variables: Mapping[str, Any] | None = None, *, file: str | None = None) -> dict[str, Any]:
        """Applies a saved plan, or plans and applies; returns the outputs."""
        options = [file] if file else ["-auto-approve", *self._options(variables)]
        self.said("apply", "-no-color", *options)
        return self.output()

    def destroy(self, variables: Mapping[str, Any] | None = None) -> str:
        return self.said("destroy", "-no-color", "-auto-approve", *self._options(variables))

    def output(self) -> dict[str, Any]:
        """The root module's outputs by name, sensitive ones, too."""
        return {name: each["value"] for name, each in json.loads(self.said("output", "-json")).items()}

    def _options(self, variables: Mapping[str, Any] | None) -> list[str]:
        if variables is None:
            return []
        (self.folder / "test.tfvars.json").write_text(json.dumps(dict(variables)))
        return ["-var-file=test.tfvars.json"]


def copied(target: Path) -> Path:
    """A copy of infra/ below `target`, where commands may leave behind what they do; returns the copy of infra/."""
    left = shutil.ignore_patterns(".terraform", ".terraform.lock.hcl", "*.tfstate*", "plan")
    return Path(shutil.copytree(INFRA, target / "infra", ignore=left))


def changes(plan: Mapping[str, Any]) -> dict[str, list[str]]:
    """What a plan does to resources: address to actions, those left out that stay as they are or are only read."""
    listed = ((each["address"], each["change"]["actions"]) for each in plan.get("resource_changes", ()))
    return {address: actions for address, actions in listed if actions not in (["no-op"], ["read"])}


def without_lifecycle(infra: Path) -> None:
    """Leaves the store's lifecycle out of a copy of infra/: the provider waits 50 s for moto to have taken it."""
    override = 'resource "aws_s3_bucket_lifecycle_configuration" "this" {\n  count = 0\n}\n'
    (infra / "modules/aws/artifact-store/lifecycle_override.tf").write_text(override)
