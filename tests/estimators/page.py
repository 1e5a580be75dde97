"""The table as a page of the documentation, and its verdicts as they are read back from it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from tests.estimators.cell import EXACT, TOLERANCE, Cell
from tests.estimators.data import Rows
from tests.estimators.estimators import ESTIMATORS
from tests.estimators.preprocessing import PREPROCESSING

Cells = Mapping[tuple[str, str, str], Cell]
"""(table, estimator, preprocessing) -> cell."""
PACKAGES = {"scikit-learn": "sklearn", "LightGBM": "lightgbm", "XGBoost": "xgboost", "onnxruntime": "onnxruntime"}
"""Name to module: XGBoost comes in distributions of several names."""
WORDS = {
    "exact": "exact",
    "within": "within tolerance",
    "refused": "refused",
    "unfit": "not fitted",
    "WRONG": "**wrong**",
}


def page(cells: Cells, rows: Rows, made_rows: int) -> str:
    """Markdown."""
    reasons = _numbered(cells)
    tables = "\n".join(_table(title, cells, reasons) for title in PREPROCESSING)
    refused = "\n".join(f"{number}. {text}" for text, number in reasons.items())
    return f"""{_head(cells, rows, made_rows)}
{tables}
## Refused, because
{refused}
"""


def verdicts(text: str) -> dict[tuple[str, str, str], str]:
    """What a page says: (table, estimator, preprocessing) -> the verdict's words."""
    found, title, heads = {}, "", list[str]()
    for line in text.splitlines():
        if line.startswith("## "):
            title, heads = line[3:], []
        elif line.startswith("| ") and title in PREPROCESSING:
            name, *values = (part.strip() for part in line.strip("|").split("|"))
            if not heads:
                heads = values
                continue
            for head, value in zip(heads[:-1], values[:-1], strict=True):
                found[title, name.strip("`"), head] = value.partition(" (")[0]
    return found


def _head(cells: Cells, rows: Rows, made_rows: int) -> str:
    versions = ", ".join(f"{name} {import_module(module).__version__}" for name, module in PACKAGES.items())
    slowest = max(cells, key=lambda key: cells[key].seconds)
    numbers = {word: sum(cell.verdict == word for cell in cells.values()) for word in WORDS}
    unfit = f"; {numbers['unfit']} cannot be fitted natively" if numbers["unfit"] else ""
    return f"""# What is exported faithfully

<!-- Made by `nox -s estimators`. Do not edit: run it again. -->

{len(ESTIMATORS)} estimators behind {sum(map(len, PREPROCESSING.values()))} kinds of preprocessing: each was fitted on \
real data, exported as `mlops-ci train` does it, and asked about the same rows as the native model. Nothing here is
typed by hand. `nox -s estimators` makes this page again, `nox -s estimators -- --check` fails where it says something
else than a run, and `nox -s estimators -- --data FILE --target COLUMN` prints it for a CSV or Parquet file of yours.

- **exact**: no answer differs by more than {EXACT:g}, and no label does. The last column has the largest difference.
- **within tolerance**: no answer differs by more than {TOLERANCE:g}, the default of `parity.atol`, and no label does.
- **refused (n)**: no graph is made, and the reason is told with what to use instead; they are at the end.

A number may differ by so much times the larger of 1 and its own size.
Of the {len(cells)} combinations {numbers["exact"]} are exact, {numbers["within"]} within tolerance, \
{numbers["refused"]} refused and {numbers["WRONG"]} wrong{unfit}.

Data: {rows.name}, {len(rows.training):,} rows to fit, {len(rows.holdout):,} to compare, and {made_rows:,} more, \
made of these to be answered wrongly (`core/adversarial.py`):
each column missing, empty and unseen texts, numbers from 5e-324 to 1e300. Rows that the native model itself does not
answer with a finite number are left out. Where an estimator takes no missing numbers, `SimpleImputer` comes before.
Versions: {versions}.
The slowest conversion took {cells[slowest].seconds:.1f} s ({slowest[1]}, {slowest[2]}).
"""


def _table(title: str, cells: Cells, reasons: Mapping[str, int]) -> str:
    heads = list(PREPROCESSING[title])
    lines = [f"## {title}", f"| estimator | {' | '.join(heads)} | largest difference |"]
    lines.append(f"|---|{'---|' * (len(heads) + 1)}")
    for name in ESTIMATORS:
        found = [cells[title, name, head] for head in heads if (title, name, head) in cells]
        if len(found) != len(heads):
            continue
        words = [WORDS[cell.verdict] + (f" ({reasons[_reason(cell)]})" if cell.reason else "") for cell in found]
        answered = [cell.difference for cell in found if cell.verdict in {"exact", "within", "WRONG"}]
        largest = f"{max(answered):.0e}" if answered else ""
        lines.append(f"| `{name}` | {' | '.join(words)} | {largest} |")
    return "\n".join(lines) + "\n"


def _numbered(cells: Cells) -> dict[str, int]:
    texts = dict.fromkeys(_reason(cell) for cell in cells.values() if cell.reason)
    return {text: number for number, text in enumerate(texts, 1)}


def _reason(cell: Cell) -> str:
    return f"{cell.reason}. {cell.instead[:1].upper()}{cell.instead[1:]}." if cell.instead else cell.reason
