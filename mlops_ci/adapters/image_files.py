"""Looks at the files of an image without running it: through a container that is created and never started."""

from __future__ import annotations

import base64
import io
import json
import posixpath
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

MOST_BYTES = 256 * 1024 * 1024
"""No file that is looked at is nearly as large; a hostile image shall not fill this machine's memory."""


class ImageFiles:
    """The files of one image, as its container sees them."""

    def __init__(self, container: Container) -> None:
        self._container = container

    def resolve(self, path: str) -> str | None:
        """The path of the file or folder behind all links; None where there is nothing."""
        for _ in range(10):
            found = self._stat(path)
            if found is None:
                return None
            target = str(found.get("linkTarget") or "")
            if not target:
                return path
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        return None

    def read(self, path: str) -> bytes | None:
        """The content of a file; None where there is none."""
        place = self.resolve(path)
        return self.folder(place).get(posixpath.basename(place)) if place else None

    def folder(self, path: str) -> Mapping[str, bytes]:
        """The plain files directly in a folder, or the file at `path`, by name; empty where there is nothing."""
        from docker.errors import NotFound

        try:
            stream, _ = self._container.get_archive(path)
        except NotFound:
            return {}
        whole = _joined(stream)
        found = {}
        with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isreg() and member.name.count("/") <= 1 else None
                if content is not None:
                    found[posixpath.basename(member.name)] = content.read()
        return found

    def _stat(self, path: str) -> Mapping[str, object] | None:
        """What the engine says of a path, of which the SDK has no function: it would fetch the content with it."""
        api = self._container.client.api  # type: ignore[union-attr]
        address = f"{api.base_url}/v{api.api_version}/containers/{self._container.id}/archive"
        with api.head(address, params={"path": path}, timeout=api.timeout) as answer:
            if answer.status_code == HTTPStatus.NOT_FOUND:
                return None
            answer.raise_for_status()
            found: Mapping[str, object] = json.loads(base64.b64decode(answer.headers["X-Docker-Container-Path-Stat"]))
            return found


@contextmanager
def looking_into(client: DockerClient, image_id: str) -> Iterator[ImageFiles]:
    """The files of the image, whichever platform it is for. Raises what the SDK raises."""
    container = client.containers.create(
        image_id, command=["true"], entrypoint=[], network_mode="none", labels={"io.mlops-ci.purpose": "look"}
    )
    try:
        yield ImageFiles(container)
    finally:
        container.remove(force=True, v=True)


def _joined(stream: Iterator[bytes]) -> bytes:
    parts, size = [], 0
    for part in stream:
        size += len(part)
        if size > MOST_BYTES:
            raise ValueError(f"a file of the image is larger than {MOST_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)
