"""Services in real containers of real images, and what befalls them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlops_ci.adapters.docker_engine import DockerImages
from mlops_ci.adapters.docker_target import DockerTarget
from mlops_ci.adapters.scoring_client import HttpScoringClient
from mlops_ci.core.records import Release
from mlops_ci.core.serving import ResourceLimits, ServingConfig
from tests.adapters.scoring_images import ScoringImages
from tests.adapters.services import Quiet, release_of
from tests.docker_engine import DockerEngine
from tests.scoring.serving import wait_until
from tests.scoring.tiny_models import binary

LIMITS = ResourceLimits(cpus=1, memory_mb=512)
Made = tuple[Release, dict[str, bytes]]


def made(images: ScoringImages, model: Any, version: int) -> Made:
    release, files = release_of(model, version=version)
    return images.with_image(release, files), files


def another(run_dir: Path, limits: ResourceLimits = LIMITS) -> DockerTarget:
    """The target as the next command makes it."""
    return DockerTarget(run_dir, images=DockerImages(), limits=limits, serving=ServingConfig(), console=Quiet())


def containers(engine: DockerEngine, run_dir: Path, **labels: str) -> list[Any]:
    wanted = {"io.mlops-ci.run": str(run_dir.resolve()), **{f"io.mlops-ci.{key}": labels[key] for key in labels}}
    filters = {"label": [f"{name}={value}" for name, value in wanted.items()]}
    return list(engine.client.containers.list(all=True, filters=filters))


def crash(engine: DockerEngine, container: Any) -> None:
    """Kills its process as the kernel would; `docker kill` would be an order not to restart it."""
    container.reload()
    before = container.attrs["RestartCount"]
    program = f"import os; os.kill({container.attrs['State']['Pid']}, 9)"
    killer = engine.run(engine.base, "python3", "-c", program, pid_mode="host", user="0", cap_add=["KILL"])
    assert killer.wait()["StatusCode"] == 0, killer.logs()
    killer.remove()

    def noticed() -> bool:
        container.reload()
        return bool(container.attrs["RestartCount"] > before or container.status == "exited")

    wait_until(noticed)


def serving(url: str) -> str:
    with HttpScoringClient() as client:
        answer = client.score(url, binary().records[:2], binary().signature)
    assert answer.error == ""
    return answer.release
