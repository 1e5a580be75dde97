"""The results as the page docs/simulations.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt

from simulations.intervals import HOLDOUTS, Covered
from simulations.looks import ALPHA, ROWS, TACTICS
from simulations.promises import ALPHAS, RESAMPLES, Promise
from simulations.slices import ROWS as SLICE_ROWS
from simulations.slices import Blocked

BEYOND = 3
"""Standard errors of the simulation: a share that far on the wrong side of what is promised is marked."""
WAYS = {"none": "alpha for every look", "even": "`even`", "front": "`front`"}

INTRODUCTION = """\
# Simulations of the gate

Written by `nox -s simulations`; do not edit. {versions}. Seeds are fixed: the same
versions write the same page.

Each line is a world from which thousands of holdouts were drawn by chance, and in which the truth is known. What a
share is off by, by chance, is given as ± one standard error. **Bold**: worse than promised by more than {beyond} such
errors.
"""
PROMISES = """\
## Does the decision keep its promise?

- **called better**: the two models are equally good. How often is the challenger called `superior`, at three alphas
  (alpha of one look)? Promised: at most alpha.
- **covered**: how often the two-sided 95 % interval holds the true difference, without an effect and with it.
- **power**: the challenger is in truth better by the *minimum detectable effect* that such holdouts state at alpha 0.05
  (their median, `effect`). How often is it called `superior`? Promised: about 0.8.

Bootstraps have {resamples:,} resamples.
"""
SAFEGUARDS = """\
## Why a bootstrap bound is the most cautious of three

How often equal models are called better at alpha 0.05 / 0.01 / 0.0025, by each bound alone. The percentile and BCa are
too bold with few groups, heavy tails and small alphas; Student's where errors are rare and far; the correction for
skewness where one far value makes the skewness up. None is right everywhere; the most cautious is nearly right.
"""
INTERVALS = """\
## Intervals of the metrics in the report

How often the 95 % interval holds the truth, in {holdouts:,} holdouts each (± {error:.3f}): that of one model's value,
and that of the difference.
"""
SLICES = """\
## Slices

12 slices of {rows} rows, in {holdouts:,} holdouts each. How often is *any* slice called worse at alpha 0.05, corrected
after Holm as the gate does it, and if each slice were tested by itself? Without a drop: promised at most 0.05. With it:
one slice has lost that much.
"""
LOOKS = """\
## Many looks at one holdout

A holdout of {rows:,} rows whose truth is a fair coin, so that nobody can be better than anybody. Champion and
challengers answer by chance; the later ones are made from what was told of the earlier. How often does any of them
ship, in {holdouts:,} holdouts each (± {error:.3f} at most)? Promised, for those who know no more than whether earlier
ones shipped: at most {alpha}. What the other two do is not covered by the promise; see [the gate](gate.md#looks).
"""


def page(
    versions: str,
    *,
    promises: Sequence[Promise],
    safeguards: Mapping[str, Mapping[str, tuple[float, ...]]],
    intervals: Mapping[str, Covered],
    slices: Mapping[tuple[str, float], Blocked],
    looks: Mapping[tuple[int, str, str], float],
    holdouts_of_looks: int,
    holdouts_of_slices: int,
) -> str:
    """The whole page."""
    sections = [
        INTRODUCTION.format(versions=versions, beyond=BEYOND),
        PROMISES.format(resamples=RESAMPLES) + "\n" + _promises(promises),
        SAFEGUARDS + "\n" + _safeguards(safeguards),
        INTERVALS.format(holdouts=HOLDOUTS, error=_error(0.95, HOLDOUTS)) + "\n" + _intervals(intervals),
        SLICES.format(rows=SLICE_ROWS, holdouts=holdouts_of_slices) + "\n" + _slices(slices, holdouts_of_slices),
        LOOKS.format(rows=ROWS, holdouts=holdouts_of_looks, error=_error(0.5, holdouts_of_looks), alpha=ALPHA)
        + "\n"
        + _looks(looks, holdouts_of_looks),
    ]
    return "\n".join(sections)


def _promises(promises: Iterable[Promise]) -> str:
    heads = ["world", "method", "holdouts", *(f"called better at {alpha}" for alpha in ALPHAS)]
    lines = []
    for one in promises:
        decided = one.holdouts - one.undecidable
        better = [
            share_of(share, decided, at_most=alpha) for share, alpha in zip(one.called_better, ALPHAS, strict=True)
        ]
        covered = [
            share_of(share, decided, at_least=0.95) for share in (one.covered_without_effect, one.covered_with_effect)
        ]
        undecidable = f" ({one.undecidable} undecidable)" if one.undecidable else ""
        lines.append(
            [
                one.world, one.method, f"{one.holdouts:,}{undecidable}", *better, *covered, f"{one.effect:.3g}",
                share_of(one.power, decided),
            ]
        )  # fmt: skip
    return table([*heads, "covered, no effect", "covered, effect", "effect", "power"], lines)


def _safeguards(safeguards: Mapping[str, Mapping[str, tuple[float, ...]]]) -> str:
    heads = ["world", *next(iter(safeguards.values()))]
    lines = [
        [world, *(" / ".join(f"{share:.4f}" for share in shares) for shares in alone.values())]
        for world, alone in safeguards.items()
    ]
    return table(heads, lines)


def _intervals(intervals: Mapping[str, Covered]) -> str:
    lines = [
        [case, name, *(share_of(share, HOLDOUTS, at_least=0.95, error=False) for share in shares)]
        for case, covered in intervals.items()
        for name, shares in covered.items()
    ]
    return table(["holdouts", "metric", "one model", "difference"], lines)


def _slices(slices: Mapping[tuple[str, float], Blocked], holdouts: int) -> str:
    lines = [
        [
            metric, f"{drop:g}" if drop else "none",
            share_of(one.corrected, holdouts, at_most=1.0 if drop else ALPHA), share_of(one.uncorrected, holdouts),
        ]
        for (metric, drop), one in slices.items()
    ]  # fmt: skip
    return table(["metric", "drop in one slice", "any blocks, corrected", "any blocks, each by itself"], lines)


def _looks(looks: Mapping[tuple[int, str, str], float], holdouts: int) -> str:
    promised = list(TACTICS)[:2]
    lines = []
    for allowed, tactic in dict.fromkeys((allowed, tactic) for allowed, tactic, _ in looks):
        cells = [
            share_of(
                looks[allowed, tactic, way], holdouts, error=False,
                at_most=ALPHA if way != "none" and tactic in promised else 1.0,
            )
            for way in WAYS
        ]  # fmt: skip
        lines.append([str(allowed), tactic, *cells])
    return table(["looks", "the challengers", *WAYS.values()], lines)


def share_of(share: float, holdouts: int, *, at_most: float = 1.0, at_least: float = 0.0, error: bool = True) -> str:
    """The share with its standard error, which is that of the promise where there is one."""
    promise = at_most if at_most < 1 else at_least if at_least > 0 else share
    off = _error(promise, holdouts)
    wrong = max(share - at_most, at_least - share) > BEYOND * off
    text = f"{share:.4f}" if promise < 0.02 else f"{share:.3f}"
    return (f"**{text}**" if wrong else text) + (f" ± {off:.1g}" if error else "")


def _error(share: float, holdouts: int) -> float:
    return sqrt(max(share * (1 - share), 1e-9) / holdouts)


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [heads, ["---"] * len(heads), *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
