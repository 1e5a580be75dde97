"""What a search over hyperparameters may try: the candidates of a space, and the rungs of successive halving."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from mlops_ci.core.digest import canonical_json

if TYPE_CHECKING:
    import numpy as np

DIGITS = 4
"""Of a number that is drawn from a range. More would only be harder to read, and to copy into `train.params`."""
LEAST_ROWS = 200
"""A rung on fewer training rows than this drops candidates by chance, and saves no time worth having."""
_DRAWS = 100


@dataclass(frozen=True, kw_only=True)
class Range:
    """Numbers from `min` to `max`, both included; with `log`, every power of ten is as likely as any other."""

    min: float
    max: float
    log: bool = False
    integer: bool = False


Values = Range | tuple[Any, ...]
Space = Mapping[str, Values]
Params = dict[str, Any]


def size(space: Space) -> float:
    """How many candidates there are: infinite where some parameter has a range."""
    return math.prod(math.inf if isinstance(values, Range) else len(values) for values in space.values())


def grid(space: Mapping[str, Sequence[Any]]) -> list[Params]:
    """Every combination of the listed values; those of the last parameter change fastest."""
    return [dict(zip(space, values, strict=True)) for values in product(*space.values())]


def sample(space: Space, count: int, seed: int) -> list[Params]:
    """`count` different candidates, each parameter drawn independently; all there are where there are no more.

    Independent draws try more values of each parameter than a grid of the same size: Bergstra & Bengio 2012.
    """
    lists = {name: values for name, values in space.items() if not isinstance(values, Range)}
    if len(lists) == len(space) and size(space) <= count:
        return grid(lists)
    import numpy as np

    rng = np.random.default_rng(seed)
    found: dict[bytes, Params] = {}
    for _ in range(_DRAWS * count):
        candidate = {name: _draw(values, rng) for name, values in space.items()}
        found.setdefault(canonical_json(candidate), candidate)
        if len(found) == count:
            break
    return list(found.values())


def rungs(candidates: int, factor: int, rows: int) -> list[tuple[int, float]]:
    """(how many candidates, on which share of the training rows) for each rung; the last has all rows.

    From rung to rung the best `1 / factor` go on, with `factor` times the rows, until no more than `factor` are left:
    Jamieson & Talwalkar 2016. Of `rows`, rungs on fewer than `LEAST_ROWS` are left out.

    >>> rungs(27, 3, 90_000)
    [(27, 0.1111111111111111), (9, 0.3333333333333333), (3, 1.0)]
    >>> rungs(27, 3, 900)
    [(27, 0.3333333333333333), (9, 1.0)]
    """
    counts = [candidates]
    while counts[-1] > factor:
        counts.append(math.ceil(counts[-1] / factor))
    shares = [factor ** (place + 1 - len(counts)) for place in range(len(counts))]
    kept = [share for share in shares[:-1] if share * rows >= LEAST_ROWS] + [1.0]
    return list(zip(counts, kept, strict=False))


def _draw(values: Values, rng: np.random.Generator) -> Any:
    if not isinstance(values, Range):
        return values[int(rng.integers(len(values)))]
    # A whole number stands for the numbers that are rounded down to it, so that both ends are as likely as the rest.
    low, high = values.min, values.max + 1 if values.integer else values.max
    drawn = math.exp(rng.uniform(math.log(low), math.log(high))) if values.log else rng.uniform(low, high)
    rounded: float = math.floor(drawn) if values.integer else float(f"{drawn:.{DIGITS}g}")
    bounded = min(max(rounded, values.min), values.max)
    return int(bounded) if values.integer else float(bounded)
