"""Makes the layers of a scoring image, and keeps those that cost time in this user's cache."""

from __future__ import annotations

import json
import tarfile
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from uuid import uuid4

from mlops_ci.adapters.atomic_file import write_atomically
from mlops_ci.adapters.bytecode import Compiler
from mlops_ci.adapters.layer_archive import read_layer, write_layer
from mlops_ci.adapters.service_files import service_files
from mlops_ci.adapters.wheel_files import contents, package_of
from mlops_ci.adapters.wheelhouse import Wheelhouse
from mlops_ci.core.digest import digest_of, sha256
from mlops_ci.core.image import Package
from mlops_ci.core.image_format import BYTECODE, MODEL_FOLDER, ROOT
from mlops_ci.errors import OutsideError
from mlops_ci.ports.images import BaseImage, LayerFile

LOADED_ALWAYS = (
    *("click", "httptools", "numpy", "onnxruntime", "orjson", "uvicorn", "uvloop"),
    *("uvicorn.lifespan.off", "uvicorn.loops.uvloop", "uvicorn.protocols.http.httptools_impl"),
)
"""What a service loads of its dependencies. Their bytecode is in their layer, so that it moves only when they do."""

MODEL_SECONDS = 3600
"""A model's layer is made in no time: it is kept only as long as a build may read it."""


class CachedParts:
    """Implements `ports.images.ImageParts`. `folder` may be emptied at any time."""

    def __init__(self, folder: Path, compiler: Compiler) -> None:
        self._folder = folder
        self._wheelhouse = Wheelhouse(folder)
        self._compiler = compiler

    def dependencies(self, base: BaseImage) -> tuple[LayerFile, tuple[Package, ...]]:
        wheels = self._wheelhouse.wheels(base.platform, base.python_version)
        key = self._key("dependencies", base, sorted(wheels))
        known = self._known(key)
        if known is not None:
            return known
        files: dict[str, bytes] = {}
        packages = []
        for digest, wheel in wheels.items():
            found = contents(wheel)
            packages.append(package_of(found, digest=digest))
            files |= {f"{ROOT}/{name}": data for name, data in found.items()}
        layer = self._compiled(key, base, files, None, "nowhere", LOADED_ALWAYS)
        record = {"digest": layer.digest, "packages": [asdict(package) for package in packages]}
        write_atomically(self._record(key), json.dumps(record))
        return layer, tuple(packages)

    def service(self, base: BaseImage, dependencies: LayerFile) -> LayerFile:
        found = service_files()
        digests = {name: sha256(data) for name, data in found.items()}
        key = self._key("service", base, [dependencies.digest, digests])
        known = self._known(key)
        if known is not None:
            return known[0]
        files = {f"{ROOT}/{name}": data for name, data in found.items()}
        modules = (_module(name) for name in found if name.endswith(".py"))
        layer = self._compiled(key, base, files, dependencies, f"{ROOT}/mlops_ci", modules)
        write_atomically(self._record(key), json.dumps({"digest": layer.digest, "packages": []}))
        return layer

    def model(self, files: Mapping[str, bytes]) -> LayerFile:
        for name in files:
            if not name or PurePosixPath(name).name != name or name.startswith("."):
                raise ValueError(f"{name!r} is not a plain file name")
        placed = {f"{MODEL_FOLDER}/{name}": data for name, data in files.items()}
        key = digest_of({name: sha256(data) for name, data in placed.items()})
        for old in self._layer("model").parent.glob("model-*.tar"):
            with suppress(OSError):  # another build may tidy up as well
                if time.time() - old.stat().st_mtime > MODEL_SECONDS:
                    old.unlink()
        return write_layer(self._layer(f"model-{key}"), placed)

    def _compiled(
        self,
        key: str,
        base: BaseImage,
        files: Mapping[str, bytes],
        below: LayerFile | None,
        own: str,
        modules: Iterable[str],
    ) -> LayerFile:
        """The layer with its bytecode, where the engine can run the base; a foreign platform's image has none."""
        if not base.runs_here:
            return write_layer(self._layer(key), files)
        # A draft of its own: another build may be reading the finished layer.
        draft = write_layer(self._layer(f".draft-{uuid4().hex}"), files)
        try:
            bytecode = self._compiler(base, [*([below.path] if below else []), draft.path], own, modules)
        finally:
            draft.path.unlink(missing_ok=True)
        inherited = _names(below) if below else frozenset()
        fresh = {name: data for name, data in bytecode.items() if name not in inherited}
        return write_layer(self._layer(key), {**files, **fresh})

    def _known(self, key: str) -> tuple[LayerFile, tuple[Package, ...]] | None:
        """What was made before, if it is still what it was: the archive is hashed at every use."""
        try:
            record = json.loads(self._record(key).read_bytes())
            layer = read_layer(self._layer(key))
            packages = tuple(Package(**package) for package in record["packages"])
        except (OSError, OutsideError, ValueError, KeyError, TypeError):
            return None
        return (layer, packages) if layer.digest == record["digest"] else None

    def _key(self, kind: str, base: BaseImage, inputs: object) -> str:
        """All that the layer depends on: with bytecode that is the base's files too, whose Python compiles."""
        compiled_by = [base.python, *base.layers] if base.runs_here else []
        recipe = {name: sha256(data) for name, data in _recipe().items()}
        return f"{kind}-{digest_of([base.platform, base.python_version, compiled_by, recipe, inputs])}"

    def _layer(self, key: str) -> Path:
        return self._folder / "layers" / f"{key}.tar"

    def _record(self, key: str) -> Path:
        return self._folder / "layers" / f"{key}.json"


def _recipe() -> Mapping[str, bytes]:
    """The code that decides what is in a layer: another version of it makes another layer."""
    package = Path(__file__).parent
    names = ("elf.py", "image_parts.py", "layer_archive.py", "wheel_files.py", "bytecode.py")
    return {name: (package / name).read_bytes() for name in names} | {
        "compile": (package.parent / "resources" / "compile_modules.py").read_bytes()
    }


def _names(layer: LayerFile) -> frozenset[str]:
    with tarfile.open(layer.path) as opened:
        return frozenset(name for name in opened.getnames() if name.startswith(BYTECODE))


def _module(name: str) -> str:
    """`mlops_ci/core/digest.py` -> `mlops_ci.core.digest`."""
    return ".".join(PurePosixPath(name).with_suffix("").parts).removesuffix(".__init__")
