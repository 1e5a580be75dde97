"""One root module in one workspace: planned, applied as planned, and asked for its outputs, by the program `terraform`.

Everything of ours is in a folder of its own, and nothing is written beside the module but what Terraform itself writes
there. A plan may hold secrets: it is for its owner alone, and is removed as soon as it was applied.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_ci.adapters.environment import infrastructure_variables
from mlops_ci.adapters.file_lock import locked
from mlops_ci.adapters.processes import Identity, errors_of, is_running, run_gently
from mlops_ci.adapters.terraform_errors import (
    Diagnostic,
    diagnostics,
    failure,
    require_written_state,
    secrets_in,
)
from mlops_ci.core.cluster_settings import TerraformSettings
from mlops_ci.core.digest import canonical_json
from mlops_ci.errors import ConfigurationError, MlopsError, OutsideError

PROGRAM = "terraform"
SERVING = "serving"
CONTRACT = ("url", "releases", "serving")
READING_SECONDS = 600.0
"""How long anything may take that changes nothing."""
LOCK_SECONDS = 30
"""How long somebody else's lock on the state is waited for."""
LOCK_FILE = ".terraform.lock.hcl"
LOCKING = ("plan", "apply")
"""What no second command may run beside."""
SETTLED, CHANGES = 0, 2
"""Exit codes of a plan."""
Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class SavedPlan:
    """A plan that can be applied as it is. `content` is what it says, which may be secret; `digest` is the file's."""

    path: Path
    content: Json
    digest: str

    def declares(self, variable: str) -> bool:
        return variable in self.content.get("configuration", {}).get("root_module", {}).get("variables", {})


class TerraformModule:
    """`directory` is the module's folder, `folder` ours for this environment and model."""

    def __init__(self, directory: Path, folder: Path, settings: TerraformSettings, *, name: str) -> None:
        self.directory = directory
        self.settings = settings
        self._folder = folder
        self._name = name
        self._variables = infrastructure_variables()
        self._secrets = secrets_in(self._variables)
        self._is_ready = False

    def require_quiet(self) -> None:
        """Raises OutsideError where an earlier command's Terraform is at work still, or has left things undone."""
        try:
            known = json.loads(self._running.read_text())
            identity = Identity(pid=known["pid"], started=known["started"])
        except (OSError, ValueError, KeyError, TypeError):
            identity = None
        if identity is not None and is_running(identity):
            raise OutsideError(
                f"{self._name}: terraform (process {identity.pid}) of an earlier command is still at work",
                where=str(self.directory), fix="wait until it has ended, then try again",
            )  # fmt: skip
        require_written_state(self.directory, self._data)

    def outputs(self) -> Json:
        """The values of the outputs, as of the state; none before anything was applied."""
        self._prepare()
        found = self._read_json("output", "-json")
        return {name: each.get("value") for name, each in found.items()}

    def addresses(self) -> list[str]:
        """Those of all that the state knows."""
        self._prepare()
        with self._output("state", "list") as (code, out):
            if code:
                said = diagnostics(out, errors_of(out), self._secrets)
                if any("No state file was found" in each.detail for each in said):
                    return []
                raise self._failed("terraform state list", said)
            return out.read_text(encoding="utf-8").splitlines()

    def plan(self, serving: Json, **more: Any) -> SavedPlan | None:
        """What has to be done so that this is served; None where nothing has to be. `more` are further variables."""
        self._prepare()
        path, given = self._folder / "plan", self._folder / "given.tfvars.json"
        _write(given, canonical_json({**self.settings.variables, **more, SERVING: serving}))
        path.unlink(missing_ok=True)
        arguments = (f"-out={path}", f"-var-file={given}", "-detailed-exitcode", f"-lock-timeout={LOCK_SECONDS}s")
        try:
            with self._output("plan", "-json", "-input=false", *arguments, timeout=None) as (code, out):
                if code not in (SETTLED, CHANGES):
                    raise self._failed("terraform plan", self._said(out))
            if code == SETTLED:
                self.discard(path)
                return None
            path.chmod(0o600)
            content = self._read_json("show", "-json", str(path))
            self._require_contract(content)
        except BaseException:
            self.discard(path)
            raise
        finally:
            given.unlink(missing_ok=True)
        return SavedPlan(path=path, content=content, digest=hashlib.sha256(path.read_bytes()).hexdigest())

    def apply(self, plan: SavedPlan) -> None:
        """Does exactly what was planned. Raises StalePlan where the state has changed since, and AlreadyThere."""
        arguments = ("-json", "-input=false", f"-lock-timeout={LOCK_SECONDS}s", str(plan.path))
        try:
            with self._output("apply", *arguments, timeout=None) as (code, out):
                if code:
                    raise self._failed(
                        f"terraform apply (ended by signal {-code})" if code < 0 else "terraform apply",
                        self._said(out), applying=True,
                        fix="run the command again once the cause is gone: it finishes what was begun",
                    )  # fmt: skip
        finally:
            self.discard(plan.path)

    def discard(self, plan: Path) -> None:
        plan.unlink(missing_ok=True)

    @property
    def _running(self) -> Path:
        return self._folder / "running.json"

    def _prepare(self) -> None:
        """Gets the module's providers and its state, unless an earlier command has, and nothing was changed since."""
        if self._is_ready:
            return
        if not self.directory.is_dir() or not any(self.directory.glob("*.tf*")):
            raise ConfigurationError(
                f"{self._name}: there is no root module in {self.settings.directory}",
                where=f"mlops.yaml environments.{self._name}.terraform.directory", fix="name its folder",
            )  # fmt: skip
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        with locked(self._folder / "init.lock", what=f"{self._name}: terraform init", wait=READING_SECONDS):
            prepared = self._folder / "prepared"
            if not prepared.exists() or prepared.read_text() != self._fingerprint():
                prepared.unlink(missing_ok=True)
                self._init()
                _write(prepared, self._fingerprint().encode())
        self._is_ready = True

    def _init(self) -> None:
        backend = (f"-backend-config={name}={_text(value)}" for name, value in self.settings.backend.items())
        pinned = ("-lockfile=readonly",) if (self.directory / LOCK_FILE).exists() else ()
        with self._output("init", "-json", "-input=false", "-reconfigure", *pinned, *backend) as (code, out):
            if code:
                raise self._failed("terraform init", self._said(out))
        if not (self._data / "terraform.tfstate").exists():  # which says what backend there is
            raise ConfigurationError(
                "the module has no backend: its state would be a file in the checkout, which no other machine sees",
                where=str(self.directory), fix='write terraform { backend "s3" {} }, or another; see docs/targets.md',
            )  # fmt: skip
        if self._workspace != self.settings.workspace:
            with self._output("workspace", "select", "-or-create=true", self.settings.workspace) as (code, out):
                if code:
                    raise self._failed("terraform workspace select", self._said(out))

    def _fingerprint(self) -> str:
        """Changes with whatever `init` goes by: the files of all modules, the versions that are pinned, the backend."""
        said = hashlib.sha256(canonical_json([self.settings.workspace, dict(self.settings.backend)]))
        try:
            listed = json.loads((self._data / "modules" / "modules.json").read_text())["Modules"]
            folders = {self.directory, *((self.directory / each["Dir"]).resolve() for each in listed)}
        except (OSError, ValueError, KeyError, TypeError):
            folders = {self.directory}
        for folder in sorted(folders):
            for path in sorted([*folder.glob("*.tf"), *folder.glob("*.tf.json"), *folder.glob(LOCK_FILE)]):
                said.update(f"{path}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
        return said.hexdigest()

    @property
    def _workspace(self) -> str:
        try:
            return (self._data / "environment").read_text().strip() or "default"
        except FileNotFoundError:
            return "default"

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _require_contract(self, content: Json) -> None:
        """What is given and not declared would be left out without a word, and what is not said not be found."""
        module = content.get("configuration", {}).get("root_module", {})
        given = [name for name in (SERVING, *self.settings.variables) if name not in module.get("variables", {})]
        said = [name for name in CONTRACT if name not in module.get("outputs", {})]
        lacking = [*(f"variable {name}" for name in given), *(f"output {name}" for name in said)]
        if lacking:
            raise ConfigurationError(
                f"the module has no {', no '.join(lacking)}", where=str(self.directory),
                fix="declare it; see the serving contract in docs/targets.md",
            )  # fmt: skip

    def _said(self, out: Path) -> list[Diagnostic]:
        return diagnostics(out, errors_of(out), self._secrets)

    def _failed(self, what: str, found: Sequence[Diagnostic], *, applying: bool = False, fix: str = "") -> MlopsError:
        return failure(what, found, where=self.directory, data=self._data, applying=applying, fix=fix)

    def _read_json(self, *arguments: str) -> Json:
        with self._output(*arguments) as (code, out):
            if code:
                raise self._failed(f"terraform {arguments[0]}", self._said(out))
            try:
                found = json.loads(out.read_bytes())
            except ValueError as error:
                raise OutsideError(f"terraform {arguments[0]} gave no JSON", where=str(self.directory)) from error
        if not isinstance(found, dict):
            raise OutsideError(f"terraform {arguments[0]} gave no object", where=str(self.directory))
        return found

    @contextmanager
    def _output(self, *arguments: str, timeout: float | None = READING_SECONDS) -> Iterator[tuple[int, Path]]:
        """Runs it, and gives its exit code and the file of its output, which is gone afterwards."""
        out = self._folder / f"{arguments[0]}.{os.getpid()}"
        env = self._variables | {
            "TF_DATA_DIR": str(self._data), "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1",
            "NO_COLOR": "1",
        }  # fmt: skip
        noted = self._noted if arguments[0] in LOCKING else _forgotten
        try:
            yield (
                run_gently([PROGRAM, *arguments], out=out, cwd=self.directory, env=env, timeout=timeout, begun=noted),
                out,
            )
        finally:
            for path in (out, errors_of(out)):
                path.unlink(missing_ok=True)

    def _noted(self, identity: Identity) -> None:
        _write(self._running, canonical_json({"pid": identity.pid, "started": identity.started}))


def _forgotten(_: Identity) -> None:
    """Nobody will ask what it was."""


def _write(path: Path, data: bytes) -> None:
    """For its owner alone, as a whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_bytes(data)
    draft.replace(path)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
