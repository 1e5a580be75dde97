"""`python -m simulations [gate|rollouts] [PROCESSES]`: runs one part or both, and writes their pages in docs/."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from simulations import intervals, rollout_tables, safeguards, tables
from simulations.looks import TACTICS, share_of_luck
from simulations.promises import keep
from simulations.rollouts import BAD, GOOD, PLAN, RATES, needed, shares
from simulations.slices import blocks
from simulations.worlds import WORLDS

DOCS = Path(__file__).parents[1] / "docs"
LOOKS = (5, 20)
WAYS = ("none", "even", "front")
HOLDOUTS_OF_LOOKS = 4000
HOLDOUTS_OF_SLICES = 2000
ROLLOUTS, ROLLOUTS_OF_BAD = 1000, 400
VERSIONS = f"Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}"
SLICES = tuple((metric, drop) for metric in ("accuracy", "balanced_accuracy") for drop in (0.0, 0.12))


def gate(processes: int) -> None:
    with ProcessPoolExecutor(processes) as pool:
        # The longest first, so that no process waits for another at the end.
        hard = {world: pool.submit(safeguards.shares, world) for world in safeguards.CHOSEN}
        promises = {place: pool.submit(keep, place, WORLDS[place].holdouts) for place in reversed(range(len(WORLDS)))}
        held = {name: pool.submit(intervals.coverage, name) for name in intervals.CASES}
        sliced = {case: pool.submit(blocks, case[0], 12, case[1], HOLDOUTS_OF_SLICES) for case in SLICES}
        luck = {
            (looks, tactic, way): pool.submit(share_of_luck, tactic, way, looks, HOLDOUTS_OF_LOOKS)
            for looks in LOOKS
            for tactic in TACTICS
            for way in WAYS
        }
        everything: list[Future[Any]] = [
            *hard.values(),
            *promises.values(),
            *held.values(),
            *sliced.values(),
            *luck.values(),
        ]
        _wait(everything)
    page = tables.page(
        VERSIONS,
        promises=[promises[place].result() for place in range(len(WORLDS))],
        safeguards={WORLDS[place].name: one.result() for place, one in hard.items()},
        intervals={name: one.result() for name, one in held.items()},
        slices={case: one.result() for case, one in sliced.items()},
        looks={case: one.result() for case, one in luck.items()},
        holdouts_of_looks=HOLDOUTS_OF_LOOKS,
        holdouts_of_slices=HOLDOUTS_OF_SLICES,
    )
    (DOCS / "simulations.md").write_text(page)


def rollouts(processes: int) -> None:
    promised, broken = ([world for world in GOOD if world.promised is kept] for kept in (True, False))
    with ProcessPoolExecutor(processes) as pool:
        default, loose = (
            {world.name: pool.submit(shares, world, ROLLOUTS, false_aborts=risk) for world in promised}
            for risk in (PLAN.false_aborts, rollout_tables.LOOSE)
        )
        outside = {world.name: pool.submit(shares, world, ROLLOUTS_OF_BAD) for world in broken}
        bad = {
            (world.name, rate): pool.submit(shares, replace(world, rate=rate), ROLLOUTS_OF_BAD)
            for world in BAD
            for rate in RATES
        }
        needs = {world.name: pool.submit(needed, world, ROLLOUTS_OF_BAD) for world in BAD}
        _wait([*default.values(), *loose.values(), *outside.values(), *bad.values(), *needs.values()])
    page = rollout_tables.page(
        VERSIONS,
        good={name: (one.result(), loose[name].result()) for name, one in default.items()},
        outside={name: one.result() for name, one in outside.items()},
        bad={case: one.result() for case, one in bad.items()},
        needs={name: one.result() for name, one in needs.items()},
        rollouts=ROLLOUTS_OF_BAD,
    )
    (DOCS / "rollout-simulations.md").write_text(page)


def _wait(everything: Sequence[Future[Any]]) -> None:
    started = time.monotonic()
    for done, one in enumerate(everything, start=1):
        one.result()
        sys.stderr.write(f"\r{done} of {len(everything)} after {time.monotonic() - started:.0f} s")
    sys.stderr.write("\n")


PARTS = {"gate": gate, "rollouts": rollouts}


def main(arguments: Sequence[str]) -> None:
    parts = [one for one in arguments if one in PARTS] or list(PARTS)
    processes = [int(one) for one in arguments if one not in PARTS] or [2]
    for part in parts:
        PARTS[part](processes[-1])


if __name__ == "__main__":
    main(sys.argv[1:])
