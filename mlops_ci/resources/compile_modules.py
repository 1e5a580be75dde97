"""Run by the Python of a base image: imports modules, and writes the bytecode of all that this has loaded.

Arguments: the folder for the bytecode, below which it lies as PYTHONPYCACHEPREFIX looks for it; the folder whose own
modules are compiled whether or not they are loaded; then the modules to import. What is there already is left alone.
"""

import importlib
import importlib.util
import py_compile
import sys
from pathlib import Path

ALSO = ("concurrent.futures.thread", "encodings.idna", "stringprep")
"""Of the standard library, loaded only while a service runs."""


def main(bytecode: str, own: str, *names: str) -> None:
    for name in (*names, *ALSO):
        importlib.import_module(name)
    loaded = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
    sources = {path for path in loaded if path.endswith(".py")} | {str(path) for path in Path(own).rglob("*.py")}
    sys.pycache_prefix = bytecode
    for source in sorted(sources):
        target = Path(importlib.util.cache_from_source(source))
        if not target.exists():
            # Never checked against the source: in an image neither changes, and to look would cost time at every start.
            py_compile.compile(
                source, str(target), doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
