"""`python -m benchmarks [NAME ...]`, or `nox -s bench -- NAME`; without a name all of them.

Options after a single name go to that benchmark: `nox -s bench -- scoring --only ours,floor`.
"""

from __future__ import annotations

import importlib
import itertools
import sys
from pathlib import Path

NOT_BENCHMARKS = {"__init__", "__main__", "measuring"}
TAKE_OPTIONS = {"http_servers", "scoring"}
NAMES = sorted({path.stem for path in Path(__file__).parent.glob("*.py")} - NOT_BENCHMARKS)


def main(arguments: list[str]) -> int:
    names = list(itertools.takewhile(lambda argument: not argument.startswith("-"), arguments))
    options = arguments[len(names) :]
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    if options and (len(names) != 1 or names[0] not in TAKE_OPTIONS):
        print(f"options go to one of {', '.join(sorted(TAKE_OPTIONS))}, named before them", file=sys.stderr)
        return 2
    for name in names or NAMES:
        print(f"# {name}\n")
        importlib.import_module(f"benchmarks.{name}").main(*([options] if options else []))
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
