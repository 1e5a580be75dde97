"""Package URLs (purl), by which other tools know a package whatever its ecosystem.

Source: the package-url specification, and its types `pypi`, `deb`, `generic` and `oci`.
"""

from __future__ import annotations

from urllib.parse import quote

from mlops_ci.core.image import Package


def package_url(package: Package) -> str:
    """
    >>> package_url(Package(name="Foo_Bar", version="1.0+cpu", kind="pypi"))
    'pkg:pypi/foo-bar@1.0%2Bcpu'
    >>> package_url(Package(name="libc6", version="2.36-9", kind="deb"))
    'pkg:deb/debian/libc6@2.36-9'
    """
    name, version = package.name, _encoded(package.version)
    if package.kind == "pypi":
        return f"pkg:pypi/{_encoded(name.replace('_', '-').lower())}@{version}"
    namespace = "deb/debian" if package.kind == "deb" else package.kind
    return f"pkg:{namespace}/{_encoded(name)}@{version}"


def image_url(reference: str) -> str:
    """Of an image in a registry, named `repository@sha256:...`; empty where only an engine knows it.

    >>> image_url("ghcr.io/acme/late@sha256:" + "0" * 4)
    'pkg:oci/late@sha256:0000?repository_url=ghcr.io/acme/late'
    """
    repository, at, digest = reference.partition("@")
    if not at:
        return ""
    name = repository.rpartition("/")[2].partition(":")[0].lower()
    return f"pkg:oci/{name}@{_encoded(digest)}?repository_url={_encoded(repository, '/')}"


def _encoded(text: str, more: str = "") -> str:
    return quote(text, safe=f"-._~:{more}")
