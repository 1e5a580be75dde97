"""`nox -s estimators`: makes docs/export-table.md by fitting, exporting and comparing; or checks it, on any data."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from mlops_ci.core.adversarial import changes
from mlops_ci.core.signature import Column
from tests.estimators.cell import Bench, Cell
from tests.estimators.data import Rows, flights, from_file
from tests.estimators.estimators import ESTIMATORS
from tests.estimators.page import page, verdicts
from tests.estimators.preprocessing import PREPROCESSING

PAGE = Path(__file__).parents[2] / "docs" / "export-table.md"


def main() -> int:
    """0, or 1 where a cell is wrong or, with --check, another than the page says."""
    parser = argparse.ArgumentParser(prog="nox -s estimators --", description=__doc__)
    parser.add_argument("--data", type=Path, help="a CSV or Parquet file in place of the flights; the page is printed")
    parser.add_argument("--target", help="its target column")
    parser.add_argument("--check", action="store_true", help="compare with the page instead of writing it")
    parser.add_argument("--only", action="append", default=[], help="estimators or kinds whose name has this in it")
    options = parser.parse_args()
    if (options.data is None) != (options.target is None):
        parser.error("--data and --target belong together")
    rows = flights() if options.data is None else from_file(options.data, options.target)
    cells = measured(rows, options.only)
    wrong = [(key, cell) for key, cell in cells.items() if cell.verdict == "WRONG"]
    for key, cell in wrong:
        _tell(f"wrong: {', '.join(key[1:])}: by {cell.difference:g}, {cell.reason}")
    made = page(cells, rows, _made_rows(rows))
    if options.check:
        said, found = verdicts(PAGE.read_text()), verdicts(made)
        asked = found.keys() if options.only else said.keys() | found.keys()
        other = sorted(key for key in asked if said.get(key) != found.get(key))
        for key in other:
            _tell(f"{', '.join(key[1:])}: the page says {said.get(key)}, the run {found.get(key)}")
        return 1 if wrong or other else 0
    if options.data is None and not options.only:
        PAGE.write_text(made)
    else:
        sys.stdout.write(made)
    return 1 if wrong else 0


def measured(rows: Rows, only: list[str]) -> dict[tuple[str, str, str], Cell]:
    """All cells, or those whose estimator or preprocessing has one of these texts in its name."""
    bench, cells, started = Bench(rows), {}, time.monotonic()
    for title, kinds in PREPROCESSING.items():
        for head, kind in kinds.items():
            names = [name for name in ESTIMATORS if not only or any(text in name or text in head for text in only)]
            cells |= {(title, name, head): bench.cell(name, kind) for name in names}
            if names:
                _tell(f"{time.monotonic() - started:4.0f} s  {head}")
    return cells


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _made_rows(rows: Rows) -> int:
    inputs = [Column(name=name, kind="number" if name in rows.numbers else "text") for name in rows.holdout]
    return len(changes({name: rows.holdout[name].to_numpy() for name in rows.holdout}, inputs))


if __name__ == "__main__":
    sys.exit(main())
