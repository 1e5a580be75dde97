"""The image's software bill of materials as CycloneDX 1.6 JSON: everything in it, by version and digest.

Nothing random and no time is in it, so the same image has the same bill, byte for byte.
Source: the CycloneDX specification, version 1.6; SPDX for the names of licences.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mlops_ci.core.image import BuiltImage, Package
from mlops_ci.core.package_url import image_url, package_url
from mlops_ci.core.records import MODEL_FILE

_SPDX = frozenset(
    {
        *("0BSD", "AFL-2.1", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0"),
        *("GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "ISC", "LGPL-2.1-only"),
        *("LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "NCSA"),
        *("OpenSSL", "PSF-2.0", "Python-2.0", "Python-2.0.1", "Unicode-3.0", "Unlicense", "Zlib", "curl"),
    }
)
"""The identifiers that one meets in practice. Any other licence is given by the name that its package uses."""


def bill_of_materials(
    image: BuiltImage, *, model: str, version: int, files: Mapping[str, str], toolkit: str
) -> dict[str, Any]:
    """The bill of an image that serves a version of a model; `files` (name -> digest) is what of it lies in the image,
    `toolkit` the version of mlops-ci whose service it runs.
    """
    service = Package(name="mlops-ci", version=toolkit, kind="pypi")
    packages = {package_url(one): one for one in (service, *image.packages)}
    components = [
        *(_file(model, version, name, digest) for name, digest in sorted(files.items())),
        *(_package(one, purl) for purl, one in sorted(packages.items())),
    ]
    main = _image(image, model, version)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "mlops-ci", "version": toolkit}]},
            "component": main,
        },
        "components": components,
        "dependencies": [{"ref": main["bom-ref"], "dependsOn": sorted(one["bom-ref"] for one in components)}],
    }


def disagreements(bill: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """What a bill says otherwise than the expected one of things, versions and digests; empty where nothing.

    Licences and the like may differ: another version of mlops-ci may know more of them.
    """
    found, wanted = _facts(bill), _facts(expected)
    lines = [f"{name} is not in it" for name in sorted(wanted.keys() - found.keys())]
    lines += [f"{name} is in it, and not in the image" for name in sorted(found.keys() - wanted.keys())]
    if len(found) != len(_components(bill)):
        lines.append("something is in it twice")
    for name in sorted(wanted.keys() & found.keys()):
        for key, claim in wanted[name].items():
            if found[name][key] != claim:
                lines.append(f"{key} of {name} is {_shown(found[name][key])} there, and {_shown(claim)} in the image")
    return lines


def _image(image: BuiltImage, model: str, version: int) -> dict[str, Any]:
    digest = (image.reference.partition("@")[2] or image.image_id).removeprefix("sha256:")
    purl = image_url(image.reference)
    layers = [{"name": f"mlops-ci:layer:{layer.name}", "value": layer.digest} for layer in image.layers]
    properties = [
        {"name": "mlops-ci:base", "value": image.base},
        {"name": "mlops-ci:image-id", "value": image.image_id},
        *layers,
        {"name": "mlops-ci:platform", "value": image.platform},
    ]
    return {
        "type": "container",
        "bom-ref": "image",
        "name": image.reference.partition("@")[0] if purl else model,
        "version": str(version),
        "hashes": _sha256(digest),
        **({"purl": purl} if purl else {}),
        "properties": properties,
    }


def _file(model: str, version: int, name: str, digest: str) -> dict[str, Any]:
    if name == MODEL_FILE:
        named = {"type": "machine-learning-model", "name": model, "version": str(version)}
    else:
        named = {"type": "file", "name": name}
    return {**named, "bom-ref": f"file:{name}", "hashes": _sha256(digest)}


def _package(package: Package, purl: str) -> dict[str, Any]:
    kind = "platform" if package.kind == "generic" else "library"
    value: dict[str, Any] = {"type": kind, "bom-ref": purl, "name": package.name, "version": package.version}
    value["purl"] = purl
    if package.sha256:
        value["hashes"] = _sha256(package.sha256)
    if package.licence:
        value["licenses"] = [_licence(package.licence)]
    return value


def _licence(text: str) -> dict[str, Any]:
    """An identifier or an expression of SPDX where it is one, else the words as they are."""
    words = re.findall(r"[^\s()]+", text)
    names = words[::2]
    if all(name in _SPDX for name in names) and all(word in ("AND", "OR") for word in words[1::2]) and names:
        return {"license": {"id": text}} if words == [text] else {"expression": text}
    return {"license": {"name": text}}


def _sha256(digest: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": digest}]


def _components(bill: Mapping[str, Any]) -> list[Any]:
    """The image itself and what is in it. Whatever is no bill has none."""
    metadata, listed = bill.get("metadata"), bill.get("components")
    main = metadata.get("component") if isinstance(metadata, Mapping) else None
    return [main, *(listed if isinstance(listed, list) else ())]


def _facts(bill: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a bill claims of each thing in it, by its reference."""
    return {
        str(one.get("bom-ref"))[:200]: {
            key: one.get(key) for key in ("type", "name", "version", "purl", "hashes", "properties")
        }
        for one in _components(bill)
        if isinstance(one, Mapping)
    }


def _shown(claim: Any) -> str:
    match claim:
        case [{"content": str(digest)}]:
            return digest[:12]
        case None:
            return "nothing"
        case _:
            return str(claim)[:80]
