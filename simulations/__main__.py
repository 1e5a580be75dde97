"""`python -m simulations [PROCESSES]`: runs everything and writes docs/simulations.md."""

from __future__ import annotations

import platform
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from simulations import intervals, safeguards, tables
from simulations.looks import TACTICS, share_of_luck
from simulations.promises import keep
from simulations.slices import blocks
from simulations.worlds import WORLDS

PAGE = Path(__file__).parents[1] / "docs" / "simulations.md"
LOOKS = (5, 20)
WAYS = ("none", "even", "front")
HOLDOUTS_OF_LOOKS = 4000
HOLDOUTS_OF_SLICES = 2000
SLICES = tuple((metric, drop) for metric in ("accuracy", "balanced_accuracy") for drop in (0.0, 0.12))


def main(processes: int = 2) -> None:
    started = time.monotonic()
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
        for done, one in enumerate(everything, start=1):
            one.result()
            sys.stderr.write(f"\r{done} of {len(everything)} after {time.monotonic() - started:.0f} s")
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}"
    page = tables.page(
        versions,
        promises=[promises[place].result() for place in range(len(WORLDS))],
        safeguards={WORLDS[place].name: one.result() for place, one in hard.items()},
        intervals={name: one.result() for name, one in held.items()},
        slices={case: one.result() for case, one in sliced.items()},
        looks={case: one.result() for case, one in luck.items()},
        holdouts_of_looks=HOLDOUTS_OF_LOOKS,
        holdouts_of_slices=HOLDOUTS_OF_SLICES,
    )
    PAGE.write_text(page)
    sys.stderr.write(f"\n{PAGE} after {time.monotonic() - started:.0f} s\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
