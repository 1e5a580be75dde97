"""`python -m tools.reference [--check]`: writes docs/reference, or says what of it is not what the code says."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.reference.markdown import COMMAND
from tools.reference.pages import ROOT, differing, pages, write


def main(root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page is not up to date")
    if not parser.parse_args().check:
        for path in write(root):
            print(f"wrote {path}")
        return 0
    stale = differing(root)
    for path in stale:
        print(f"{path} is not what the code says\n    fix: {COMMAND}", file=sys.stderr)
    print(f"{len(pages(root)) - len(stale)} of {len(pages(root))} pages are up to date")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
