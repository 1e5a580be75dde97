"""The small world of `tests.delivery` on the stand-in of a cluster: everything real but the cluster itself."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from mlops_ci.adapters.kubernetes_branch import KubernetesBranchTarget
from mlops_ci.adapters.kubernetes_overlay import Overlay
from mlops_ci.adapters.kubernetes_target import KubernetesTarget, Patience
from mlops_ci.adapters.process_target import ProcessTarget
from mlops_ci.core.cluster_settings import KubernetesSettings
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.records import Candidate, Release
from mlops_ci.core.serving import ServingConfig
from mlops_ci.pipeline.golden import GoldenRows
from mlops_ci.pipeline.registry import Registry
from mlops_ci.pipeline.release import Registration, register
from mlops_ci.pipeline.rollback import roll_back
from mlops_ci.pipeline.site import Site
from tests.delivery.real_world import QUICK, RealWorld
from tests.delivery.world import MODEL, SIGNATURE, Line
from tests.kubernetes_api import node

INFRA = Path(__file__).parents[2] / "infra" / "kubernetes"
IMAGE = "registry.example/acme/tides"


class KubernetesWorld(RealWorld):
    """Production is on the cluster, by the project's own overlay with one replica; qa is on this machine."""

    mode: Any = "apply"
    commit_patience = 120.0

    def __init__(self, folder: Path, *, cluster: Path, url: str, prometheus: str = "", **options: Any) -> None:
        super().__init__(folder, **options)
        self.gateway = url
        self.images = node.Registry(cluster / "registry")
        self.prometheus = prometheus
        self.patience = Patience(ready=120, route=60, poll=0.3)
        self.environments["production"] = replace(self.environments["production"], target="kubernetes")
        if not (self.root / "infra").exists():
            shutil.copytree(INFRA, self.root / "infra")
            place = self.root / "infra" / "overlays" / "production" / "replicas.yaml"
            text = place.read_text()
            place.write_text(text[: text.index("spec:")] + "spec:\n  minReplicas: 1\n  maxReplicas: 2\n")
            self.git("add", ".")
            self.git("commit", "-q", "-m", "infrastructure")

    @property
    def settings(self) -> KubernetesSettings:
        return KubernetesSettings(
            overlay="infra/overlays/production", url=self.gateway, mode=self.mode, prometheus=self.prometheus
        )

    @cached_property
    def overlay(self) -> Overlay:
        """One as long as the world lives: to render it takes a while."""
        return Overlay(self.root / self.settings.overlay, shown=self.settings.overlay)

    @property
    def target(self) -> Any:
        """Of production, whose users ask."""
        common: dict[str, Any] = {
            "overlay": self.overlay, "settings": self.settings, "serving": ServingConfig(), "console": self.console,
            "clock": self.clock,
        }  # fmt: skip
        if self.mode == "commit":
            return KubernetesBranchTarget(
                self.run_folder, repository=self.repository, **common, patience=self.commit_patience
            )
        return KubernetesTarget(self.run_folder, **common, patience=self.patience)

    def target_of(self, name: str) -> Any:
        return self.target if name == "production" else ProcessTarget(self.run_folder, console=self.console)

    def site(self, name: str = "production") -> Site:
        return replace(super().site(name), target=self.target_of(name), client=self.client, verification=QUICK)

    def end(self) -> None:
        self.target_of("qa").shut_down()
        self.client.close()

    def register(self, line: Line, name: str | None = None) -> Release:
        """As in the world that it is made of, with an image in the cluster's registry."""
        registry = Registry(self.store)
        lock = sha256((name or str(line)).encode()).hexdigest()
        candidate = Candidate(
            model=MODEL, lock=lock, lock_record=registry.put_json({}), signature=SIGNATURE,
            onnx=registry.put_blob(self.graph(line)), refusal="", reference="", holdout="",
            profile=registry.put_json({}), metrics={}, rows={}, commit="c", trained_at="", seconds=0.0,
        )  # fmt: skip
        registry.save_candidate(candidate)
        answers = np.array([Line(slope=line.slope).answer(x) for x in self.points])
        golden = GoldenRows(records=[{"x": x} for x in self.points], answers=Predictions(values=answers))
        registration = Registration(
            candidate=candidate, commit=self.commit, verdict="first", golden=golden, evidence={}
        )
        packaging: Any = Images(self.images)
        return register(registration, registry=registry, log=self.log, actor="Ada", packaging=packaging)

    def require_settled(self) -> None:
        for name in self.names:
            serving, target = self.serving(name), self.target_of(name)
            assert self.desired(name) == serving, name
            assert dict(target.shares(name, MODEL)) == ({serving: 100} if serving else {}), name
            assert [one.release for one in target.instances(name, MODEL)] == [serving] * (serving is not None), name
            assert all(one.healthy for one in target.instances(name, MODEL)), name
        assert not self.verified_log()
        assert self.git("status", "--porcelain") == ""


class BranchWorld(KubernetesWorld):
    mode = "commit"


class Images:
    """In the place of `Packaging`: an image is a folder of the release's files here."""

    def __init__(self, images: node.Registry) -> None:
        self._images = images

    def satisfied_by(self, release: Release, registry: Registry) -> bool:
        return release.image is not None

    def package(self, release: Release, registry: Registry) -> tuple[Release, tuple[Any, ...]]:
        build = {"release": release.id}
        files = {name: registry.get_blob(digest) for name, digest in release.files.items()}
        digest = registry.put_json(build)
        files["build.json"] = registry.get_blob(digest)
        image = self._images.push(IMAGE, files, model=release.model, version=release.version)
        return replace(release, image=image, evidence={**release.evidence, "build": digest}), ()


def command(kind: type[KubernetesWorld], folder: Path, cluster: Path, url: str, verb: str, release: str) -> None:
    """One command of a process of its own, which can be killed. Only who applies has credentials."""
    if kind.mode == "apply":
        os.environ |= {"KUBECONFIG": str(cluster / "kubeconfig"), "KUBECACHEDIR": str(cluster / "cache")}
    world = kind(folder, cluster=cluster, url=url, steps=(50, 100))
    try:
        if verb == "promote":
            world.promote(world.site().release(release))
        else:
            roll_back(world.site(), reason="worse")
    finally:
        world.client.close()
