"""Commands and Terraform itself killed or interrupted while they change something: the next command finishes it."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from mlops_ci.errors import OutsideError
from mlops_ci.pipeline.release import deploy
from mlops_ci.pipeline.rollback import roll_back
from tests.delivery.killing import run
from tests.delivery.world import MODEL, Line
from tests.scoring.serving import wait_until
from tests.terraform.router import PlaneRouter
from tests.terraform.world import TerraformWorld

POINTS = [("started", "both"), ("routed", "terraform"), ("stop", "command")]


def deployed(folder: Path, url: str, configuration: str, release: str, kill: str) -> None:
    """Deploys the release to QA, in a process of its own; the world's trouble is told of it."""
    os.environ["TF_CLI_CONFIG_FILE"] = configuration
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    router = PlaneRouter(folder / "plane")
    router.url = url
    world = TerraformWorld(folder, router)
    trouble = folder / "plane" / "qa" / "trouble"
    if kill and trouble.exists():
        trouble.write_text(json.dumps({**json.loads(trouble.read_text()), "command": os.getpid()}))
    try:
        deploy(world.site("qa"), world.site("qa").release(release))
    finally:
        world.client.close()


def command(world: TerraformWorld, release: str, kill: str = "") -> Callable[[], None]:
    return partial(deployed, world.folder, world.router.url, os.environ["TF_CLI_CONFIG_FILE"], release, kill)


def plant(world: TerraformWorld, **trouble: Any) -> None:
    folder = world.plane / "qa"
    folder.mkdir(exist_ok=True)
    (folder / "trouble").write_text(json.dumps(trouble))


def until_quiet(world: TerraformWorld) -> None:
    """Waits until no Terraform of a killed command is at work any more."""

    def is_quiet() -> bool:
        try:
            world.target_of("qa")._here.module.require_quiet()
        except OutsideError:
            return False
        return True

    wait_until(is_quiet)


def test_whatever_is_killed_the_next_command_finishes(world: TerraformWorld) -> None:
    first = world.release(Line(slope=1.0))
    for number, (point, victims) in enumerate(POINTS, start=1):
        release = world.register(Line(slope=1 + number / 100))
        plant(world, at=point, terraform=victims != "command")
        ended = run(command(world, release.id, victims if victims != "terraform" else ""))
        assert ended.killed == (victims != "terraform"), (point, ended)
        if victims == "terraform":
            assert ended.code == OutsideError.exit_code
            assert "ended by signal 9" in ended.message
        until_quiet(world)
        assert not (world.plane / "qa" / "trouble").exists(), point

        again = run(command(world, release.id))
        assert again.code == 0, (point, again.message)
        assert world.serving("qa") == release.id != first.id
        assert world.routed("qa") == {release.id: 100}
        assert len(world.services("qa")) == 1, point
        assert [one.release for one in world.target_of("qa").instances("qa", MODEL)] == [release.id]


def interrupt(world: TerraformWorld, release: str) -> None:
    """Begins to deploy the release, and interrupts the command while Terraform starts its service."""
    until = world.folder / release[:12]
    plant(world, at="started", until=str(until))
    process = multiprocessing.get_context("forkserver").Process(target=command(world, release))
    process.start()
    wait_until(Path(f"{until}.reached").exists)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGTERM)
    process.join()
    assert process.exitcode == 1
    until.touch()
    world.target_of("qa")._here.module.require_quiet()
    assert any(release in json.dumps(each) for each in world.state("qa")["resources"]), "it wrote its state"


def test_an_interrupted_apply_ends_cleanly_and_is_finished_or_taken_back(world: TerraformWorld) -> None:
    second = world.register(Line(slope=1.1))
    interrupt(world, second.id)
    assert world.routed("qa") == {}
    again = run(command(world, second.id))
    assert again.code == 0, again.message
    assert world.routed("qa") == {second.id: 100}
    assert len(world.services("qa")) == 1

    third = world.register(Line(slope=1.2))
    interrupt(world, third.id)
    change = roll_back(world.site("qa"), reason="nobody wants it")
    assert (change.release, change.rejected) == (second.id, third.id)
    assert not any(third.id in json.dumps(each) for each in world.state("qa")["resources"])
    assert len(world.services("qa")) == 1
    assert world.routed("qa") == {second.id: 100}
