"""What is installed beside the toolkit, as far as a training can depend on it."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlops_ci.adapters.local_engine import cores
from mlops_ci.adapters.user_code import source_digests
from mlops_ci.core.digest import digest_of

ALWAYS = ("joblib", "numpy", "onnx", "onnxruntime", "pandas", "pyarrow", "scikit-learn", "scipy", "skl2onnx")
"""What reads the data, trains and converts, whether or not the team's code imports it by name."""


class InstalledPackages:
    """Implements `ports.Installation`."""

    def environment(self, imports: Collection[str]) -> Mapping[str, str]:
        found: dict[str, str] = {}
        waiting = [*ALWAYS, *_distributions_of(imports)]
        while waiting:
            package = _find(waiting.pop())
            if package is None or (name := _normal(package.name)) in found:
                continue
            found[name] = _version(package)
            waiting += _required(package)
        return {
            "python": platform.python_version(),
            "implementation": platform.python_implementation(),
            "system": platform.system(),
            "machine": platform.machine(),
            **dict(sorted(found.items())),
        }

    def machine(self) -> Mapping[str, str]:
        from threadpoolctl import threadpool_info

        pools = {pool["user_api"]: pool for pool in threadpool_info()}
        blas = pools.get("blas", {})
        found = {
            "processor": _processor(),
            "cores": str(cores()),
            "blas": " ".join(str(blas[key]) for key in ("internal_api", "version", "architecture") if blas.get(key)),
        }
        return {key: value for key, value in found.items() if value}


def _processor() -> str:
    """The model's name where the system gives it, such as `AMD EPYC 7763 64-Core Processor`."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _distributions_of(imports: Collection[str]) -> list[str]:
    """Most packages are called as their module is; only the others need the list of all files of all packages."""
    unknown = {name for name in imports if name != "sklearn" and _find(name) is None}
    if not unknown:
        return sorted(imports)
    owners = packages_distributions()
    return sorted({*imports, *(owner for name in unknown for owner in owners.get(name, ()))})


def _find(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except (PackageNotFoundError, ValueError):
        return None


def _required(package: Distribution) -> Iterator[str]:
    """The names in Requires-Dist; those that only an extra asks for are no part of it."""
    for line in package.requires or ():
        requirement, _, marker = line.partition(";")
        name = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
        if name and not re.search(r"\bextra\b", marker):
            yield name.group()


def _version(package: Distribution) -> str:
    """An editable package keeps its version while its code changes, so the digest of its code is added."""
    try:
        origin = json.loads(package.read_text("direct_url.json") or "{}")
    except ValueError:
        origin = {}
    if not origin.get("dir_info", {}).get("editable"):
        return package.version
    folder = Path(unquote(urlsplit(origin["url"]).path))
    return f"{package.version} (editable, {digest_of(source_digests(folder))[:16]})"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
