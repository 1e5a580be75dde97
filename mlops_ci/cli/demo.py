"""`mlops-ci demo`: the life of a model on this machine. Every step runs a command; nothing is made to succeed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mlops_ci.cli.command import Outcome
from mlops_ci.cli.context import Context
from mlops_ci.cli.demo_world import BOOSTING, IGNORING, LOGISTIC, NOT_IGNORING, DemoWorld, Unexpected
from mlops_ci.errors import ConfigurationError

MARKER = ".mlops-demo"


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """One step of the story: `text` is what a person is told, `result` what the deciding command answered."""

    name: str
    ok: bool
    seconds: float
    text: str
    result: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Told:
    text: str
    result: dict[str, Any]


def run_demo(folder: Path, context: Context) -> Outcome:
    """Plays the story in `folder`, replacing what an earlier demo left there, and writes the report."""
    _prepare(folder, context)
    world = DemoWorld(folder, context)
    steps: list[StepResult] = []
    try:
        for name, step in STORY:
            steps.append(_play(name, step, world, context))
            if not steps[-1].ok:
                break
    finally:
        world.stop()
    ok = len(steps) == len(STORY) and all(step.ok for step in steps)
    report = _write_report(folder, steps, world)
    text = f"\n{'all of it went as it should' if ok else 'something went wrong above'}; the report: {report}"
    value = {"steps": [asdict(step) for step in steps], "ok": ok, "report": str(report)}
    return Outcome(value=value, text=text, code=0 if ok else 3)


def _prepare(folder: Path, context: Context) -> None:
    """An empty folder with our mark on it. Raises ConfigurationError where the folder holds something of the user's."""
    marker = folder / MARKER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not marker.is_file() and any(folder.iterdir()):
            raise ConfigurationError(
                f"{folder} holds something that is not an earlier demo", fix="name another with --dir"
            )
        # The mark comes first and stays: killed while it clears the folder, the next demo still knows it.
        marker.write_text("made by `mlops-ci demo`, which may delete what is in this folder\n", encoding="utf-8")
        DemoWorld(folder, context).stop()
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path != marker:
                path.unlink()
    except OSError as error:
        raise ConfigurationError(f"cannot create {folder}: {error.strerror}", fix="name another with --dir") from error


def _play(name: str, step: Callable[[DemoWorld], Told], world: DemoWorld, context: Context) -> StepResult:
    context.console.say(f"\n== {name}")
    started = time.monotonic()
    try:
        told = step(world)
        ok = True
    except Unexpected as error:
        told, ok = Told(text=f"not as it should be: {error}", result=error.result), False
    seconds = round(time.monotonic() - started, 1)
    context.console.say(f"{told.text}\n({seconds} s)")
    return StepResult(name=name, ok=ok, seconds=seconds, text=told.text, result=told.result)


def first_release(world: DemoWorld) -> Told:
    """A simple model of the first half of 2013, with nobody to compare it with."""
    world.start_repository()
    judged = world.run("ci", expect=0)
    world.require(judged["verdict"] == "first", "the first model has nothing to be compared with", judged)
    released = world.release_and_promote(reviewer="Grace")
    world.remember("first")
    auc = judged["primary"]["challenger"]
    return Told(
        text=f"A logistic regression on five months of flights (ROC AUC {auc:.3f}) is version {released['version']}. "
        "It was "
        f"verified in qa, approved by Grace, and serves production at {world.production_url}.",
        result=judged,
    )


def better_challenger(world: DemoWorld) -> Told:
    """Gradient boosting instead: clearly better on the same rows."""
    world.live_traffic()
    world.branch("boosting", "Use gradient boosting")
    world.edit("mlops.yaml", LOGISTIC, BOOSTING)
    world.commit("Use gradient boosting")
    judged = world.run("ci", expect=0)
    world.require(judged["verdict"] == "superior" and judged["ships"], "boosting should be better", judged)
    world.merge("boosting")
    released = world.release_and_promote(reviewer="Grace")
    primary = judged["primary"]
    return Told(
        text=f"Gradient boosting is better than what serves: ROC AUC {primary['champion']:.3f} -> "
        f"{primary['challenger']:.3f}, by at "
        f"least {primary['lower']:+.3f} whatever the luck of the rows. Version {released['version']} went to "
        "production in steps of "
        "10, 50 and 100 %.",
        result=judged,
    )


def worse_challenger(world: DemoWorld) -> Told:
    """Deeper trees without regularisation: they learn the training rows by heart."""
    before = world.serving()
    world.branch("deeper", "Deeper trees")
    world.edit("mlops.yaml", "    max_depth: 4", "    max_depth: 8")
    world.edit("mlops.yaml", "    l2_regularization: 10.0", "    l2_regularization: 0.0")
    world.commit("Deeper trees")
    judged = world.run("ci", expect=0)
    world.require(
        judged["verdict"] in {"inferior", "inconclusive"} and not judged["ships"], "deeper trees overfit", judged
    )
    world.merge("deeper")
    released = world.run("release", expect=0)
    world.require(released["release"] is None, "nothing may be released", released)
    world.undo("deeper")
    world.require(world.serving() == before, "production must not change", released)
    primary = judged["primary"]
    return Told(
        text=f"Deeper trees are {judged['verdict']}: {primary['difference']:+.3f}, at best {primary['upper']:+.3f}. "
        "That is an ordinary "
        "outcome: the pipeline is green (exit 0). Merged all the same, it was not released, and production serves "
        "what it served.",
        result=judged,
    )


def bad_data(world: DemoWorld) -> Told:
    """A careless export: a weekday that does not exist, -999 for unknown, and some answers lost."""
    world.branch("new-export", "A new export of the data")
    world.spoil_data()
    world.commit("A new export of the data")
    checked = world.run("ci", expect=10)
    world.abandon("new-export")
    problems = checked["check"]["problems"]
    found = "; ".join(f"{problem['where']}: {problem['what']}" for problem in problems[:3])
    return Told(
        text=f"The data gate closed before anything was trained (exit 10), with all {len(problems)} problems at "
        f"once: {found}.",
        result=checked,
    )


def broken_when_served(world: DemoWorld) -> Told:
    """A feature that history has, and live requests have not: better offline, worse in production."""
    before = world.serving()
    world.branch("delays", "Use how late the airport runs")
    world.edit("train.py", IGNORING, NOT_IGNORING)
    world.commit("Use how late the airport runs")
    judged = world.run("ci", expect=0)
    world.require(judged["verdict"] == "superior", "offline it is better", judged)
    world.merge("delays")
    world.live_traffic()
    released = world.release()
    promoted = world.promote(released, reviewer="Grace", expect=15)
    world.require(promoted["outcome"] == "aborted", "the rollout has to be aborted", promoted)
    world.require(world.serving() == before, "production must be back on what it served", promoted)
    again = world.run("promote", "--to", "production", "--version", str(released["version"]), expect=14)
    world.undo("delays")
    primary = judged["primary"]
    return Told(
        text=f"Offline this one was the best so far ({primary['difference']:+.3f}), and qa verified it: the column "
        "origin_delay is in "
        "the history. Live requests do not have it, and there the rollout caught it: "
        f"{'; '.join(promoted['reasons'])}. Production is "
        "back on the release before, by itself; Git says so; and the bad one is on hold: promoting it again was "
        "refused "
        f"(exit 14: {again['error']['what']}).",
        result=promoted,
    )


def drift(world: DemoWorld) -> Told:
    """A booking system spells some airlines in full. A hot summer alone is none: weeks differ that much anyway."""
    world.spell_airlines_in_full()
    found = world.run("monitor", "--input", str(world.later(3)), expect=0)
    alarms = [feature["name"] for feature in found["features"] if feature["alarm"]]
    world.require("carrier" in alarms, "other names of airlines are drift", found)
    return Told(
        text="July to September are not what the champion was trained on: since August a booking system spells "
        f"airlines in full, which we planted in the real data. Drifted: {', '.join(alarms)}. Expect about "
        f"{found['expected_false_alarms_per_month']:.2g} false alarms a month from this check.",
        result=found,
    )


def retrain(world: DemoWorld) -> Told:
    """The same code on newer data, proposed and not imposed."""
    proposed = world.run("retrain", "--data", str(world.later(3)), "--reason", "drift", expect=0)
    world.require(proposed["pull_request"] is not None, "a pull request has to be proposed", proposed)
    evaluation = proposed["evaluation"]
    return Told(
        text=f"Trained again with the summer's flights: {evaluation['verdict']} against the champion on the newest "
        "rows "
        f"({evaluation['primary']['difference']:+.3f}, at least {evaluation['primary']['lower']:+.3f}). Pull request "
        f"{proposed['pull_request']} carries the data and the evidence; nobody merged it.",
        result=proposed,
    )


def batch(world: DemoWorld) -> Told:
    """The flights of the last quarter, all at once."""
    output = world.folder / "scored.parquet"
    scored = world.run("score", "--input", str(world.later(4)), "--output", str(output), expect=0)
    world.require(scored["rows"] > 10_000, "a quarter has more flights", scored)
    return Told(
        text=f"{scored['rows']} flights scored into {output.name} at {scored['rows_per_second']:,.0f} rows a second, "
        "each with the "
        "release that scored it.",
        result=scored,
    )


def audit(world: DemoWorld) -> Told:
    """What served when only the first release had been promoted?"""
    answer = world.run("why", "--environment", "production", "--at", world.remembered("first"), expect=0)
    now = world.run("why", "--environment", "production", expect=0)
    world.require(answer["version"] == 1 and now["version"] == 2, "the past is not the present", answer)
    return Told(
        text=f"At {answer['at']} production served version {answer['version']}, approved by "
        f"{', '.join(answer['approved_by'])} in pull "
        f"request {answer['pull_request']}, verdict {answer['verdict']}, from commit {answer['commit'][:12]}, on "
        f"{len(answer['evidence'])} pieces of evidence. Now it serves version {now['version']}.",
        result=answer,
    )


def tampering(world: DemoWorld) -> Told:
    """Somebody changes one byte of a copy of the log."""
    intact = world.run("verify-log", expect=0)
    copy = world.copy_of_store_with_one_byte_changed()
    broken = world.run("verify-log", "--store", str(copy), expect=16)
    problem = broken["models"][0]["problems"][0]
    return Told(
        text=f"The log's {intact['models'][0]['events']} events are as they were written. With one byte of a copy "
        "changed, verify-log "
        f"fails (exit 16): {problem['where']} {problem['what']}.",
        result=broken,
    )


STORY: Sequence[tuple[str, Callable[[DemoWorld], Told]]] = (
    ("first release", first_release),
    ("a better challenger", better_challenger),
    ("a worse challenger", worse_challenger),
    ("data that fail the gate", bad_data),
    ("good offline, bad when served", broken_when_served),
    ("drift", drift),
    ("a retrain proposed", retrain),
    ("a batch scored", batch),
    ("who approved what", audit),
    ("the log, and a log that was edited", tampering),
)


def _write_report(folder: Path, steps: Sequence[StepResult], world: DemoWorld) -> Path:
    from mlops_ci.pipeline.story import render_story

    page = render_story("The life of a model", [asdict(step) for step in steps], world.audit())
    report = folder / "report.html"
    report.write_text(page, encoding="utf-8")
    return report
