"""The small world of the deliveries whose environments Terraform makes: real services, real plans, no provider."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import mlops_ci
from mlops_ci.adapters import processes
from mlops_ci.adapters.terraform_target import TerraformTarget
from mlops_ci.core.cluster_settings import TerraformSettings
from mlops_ci.core.records import Release
from mlops_ci.core.serving import ServingConfig
from mlops_ci.core.traffic import LiveCounts
from mlops_ci.pipeline.registry import Registry
from tests.delivery.real_world import RealWorld
from tests.delivery.world import MODEL, Line
from tests.terraform.router import PlaneRouter

COMPOSITION = Path(__file__).parent / "composition"
DIVISION = "terraform_data.division"


class Imaged:
    """Implements what `release` asks of packaging: a release gets the name of an image, which nobody builds."""

    def package(self, release: Release, registry: Registry) -> tuple[Release, Sequence[Any]]:
        digest = sha256(json.dumps(dict(release.files), sort_keys=True).encode()).hexdigest()
        return replace(release, image=f"registry.example/tides@sha256:{digest}"), ()

    def satisfied_by(self, release: Release, registry: Registry) -> bool:
        return release.image is not None


class CountedTarget(TerraformTarget):
    """Its requests are counted by the router of the test, in CloudWatch's place; None where nothing counts."""

    router: PlaneRouter | None = None

    def traffic(self, environment: str, model: str) -> Mapping[str, LiveCounts]:
        if self.router is None:
            return super().traffic(environment, model)
        return {release: self.router.counts(environment, release) for release in self._here.serving.releases}


class TerraformWorld(RealWorld):
    """Every environment is the composition in a folder of its own, with its state beside the world."""

    counted = True
    patience = 20.0
    """Seconds that a service is given to become ready."""

    def __init__(self, folder: Path, router: PlaneRouter, **options: Any) -> None:
        self.router = router
        self.may_destroy: tuple[str, ...] = (DIVISION,)
        self.service = ServingConfig()
        super().__init__(folder, **options)
        for name in self.names:
            if not self.module(name).exists():
                shutil.copytree(COMPOSITION, self.module(name))

    packaging = Imaged()

    @property
    def plane(self) -> Path:
        return self.folder / "plane"

    def module(self, name: str) -> Path:
        return self.folder / "infra" / name

    def settings(self, name: str) -> TerraformSettings:
        return TerraformSettings(
            directory=f"../infra/{name}", workspace="tides", may_destroy=self.may_destroy,
            backend={"path": str(self.folder / "states" / name / "terraform.tfstate"),
                     "workspace_dir": str(self.folder / "states" / name)},
            variables={"plane": str(self.plane / name), "python": sys.executable, "router": self.router.url,
                       "package": str(Path(mlops_ci.__file__).parents[1])},
        )  # fmt: skip

    def target_of(self, name: str) -> CountedTarget:
        target = CountedTarget(
            self.run_folder, environment=name, model=MODEL, root=self.root, settings=self.settings(name),
            serving=self.service, console=self.console, keep=Registry(self.store).put_json,
            releases=lambda: frozenset(self.log.state(MODEL).releases),
            ready_patience=self.patience, division_patience=10,
            must_count=len(self.environments[name].rollout.steps) > 1,
        )  # fmt: skip
        target.router = self.router if self.counted else None
        return target

    @property
    def target(self) -> Any:
        return self.target_of("production")

    def site(self, name: str = "production") -> Any:
        return replace(super().site(name), target=self.target_of(name))

    def register(self, line: Line, name: str | None = None) -> Release:
        release = super().register(line, name)
        folder = self.folder / "files" / str(release.image).rpartition(":")[2]
        folder.mkdir(parents=True, exist_ok=True)
        registry = Registry(self.store)
        for file, digest in release.files.items():
            (folder / file).write_bytes(registry.get_blob(digest))
        return release

    def state(self, name: str) -> Mapping[str, Any]:
        """What Terraform has on its file."""
        path = self.folder / "states" / name / "tides" / "terraform.tfstate"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def services(self, name: str = "*") -> list[processes.Identity]:
        """The scoring services of an environment, or of all."""
        folders = self.plane.glob(f"{name}/services/*")
        return [one for each in folders for one in processes.find(f"--announce={each / 'service.json'}")]

    def routed(self, name: str = "production") -> dict[str, int]:
        """What the router goes by."""
        path = self.plane / name / "routes.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def require_settled(self) -> None:
        for name in self.names:
            serving = self.serving(name)
            assert self.desired(name) == serving, name
            target = self.target_of(name)
            assert dict(target.shares(name, MODEL)) == ({serving: 100} if serving else {}), name
            assert self.routed(name) == ({serving: 100} if serving else {}), name
            running = [(one.release, one.healthy) for one in target.instances(name, MODEL)]
            assert running == [(serving, True)] * (serving is not None), name
            assert len(self.services(name)) == len(running), name
        assert not self.verified_log()
        assert self.git("status", "--porcelain") == ""

    def end(self) -> None:
        for one in self.services():
            processes.terminate(one, grace=10)
        self.client.close()
