"""Images on the Docker engine: bases found and looked into, ours loaded, pushed and pulled. Nothing is decided here."""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_ci.adapters.base_python import find_python
from mlops_ci.adapters.docker_connection import connect
from mlops_ci.adapters.docker_errors import Complaint, events, explained
from mlops_ci.adapters.image_files import looking_into
from mlops_ci.adapters.layer_archive import stream
from mlops_ci.core.image_format import image_id as id_of
from mlops_ci.errors import ConfigurationError, IntegrityError, NotFoundError, OutsideError
from mlops_ci.ports.images import BaseImage, ImageFacts, LayerFile

if TYPE_CHECKING:
    from docker import DockerClient

PATIENCE = 600
"""How long the engine may be silent, in seconds: it says nothing while it unpacks a layer."""
PLATFORMS = ("linux/amd64", "linux/arm64")
MEGABYTE = 1_000_000


class DockerImages:
    """Implements `ports.images.ImageEngine`. The engine is first asked when it is needed."""

    def __init__(self, connecting: Callable[[], DockerClient] = lambda: connect(patience=PATIENCE)) -> None:
        self._connecting = connecting

    @cached_property
    def client(self) -> DockerClient:
        return self._connecting()

    def close(self) -> None:
        """Ends the connection; the next call makes a new one."""
        client = self.__dict__.pop("client", None)
        if client is not None:
            client.close()

    def require(self) -> None:
        _ = self.client

    def base(self, name: str, platform: str | None) -> BaseImage:
        with explained(f"the base image {name} cannot be had", registry=_registry(name)):
            about = self.client.version()
            here = f"{about['Os']}/{about['Arch']}"
            wanted = platform or here
            if wanted not in PLATFORMS:
                raise ConfigurationError(
                    f"there is no scoring image for {wanted}, only for {' and '.join(PLATFORMS)}",
                    fix="give one of them: image.platform in mlops.yaml, or --platform",
                )
            found = self._found(name, wanted) or self._pulled(name, wanted, here=here)
            return self._looked_into(name, found, wanted, runs_here=wanted == here)

    def load(self, configuration: bytes, layers: Sequence[LayerFile], *, base: BaseImage, name: str) -> str:
        wanted = (*base.layers, *(layer.digest for layer in layers))
        paths = {digest: f"{digest.removeprefix('sha256:')}.tar" for digest in wanted}
        manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": [paths[digest] for digest in wanted]}]
        described = {"config.json": configuration, "manifest.json": json.dumps(manifest).encode()}
        ours = {paths[layer.digest]: layer.path for layer in layers}
        last = {paths[layers[-1].digest]: layers[-1].path}
        with explained(f"the image {name} cannot be put into the Docker engine"):
            # An engine that has a layer does not look for it in the archive. Mostly only the model is new to it.
            if not self._taken({**described, **last}) and not self._taken({**described, **ours}):
                with self._layers_of(base) as inherited:
                    below = dict(zip((paths[digest] for digest in base.layers), inherited, strict=True))
                    self._send({**described, **below, **ours})
            return self._checked(id_of(configuration), name, wanted)

    def push(self, name: str) -> str:
        repository, _, tag = name.rpartition(":")
        with explained(f"{name} cannot be pushed", registry=_registry(name)):
            answer = events(self.client.api.push(repository, tag=tag, stream=True, decode=True))
            try:
                pushed = [event["aux"]["Digest"] for event in answer if "Digest" in (event.get("aux") or {})]
            except Complaint:
                # Where tags are immutable (as in ECR) a tag is refused the second time, whatever is pushed to it.
                published = self._published_before(name)
                if published is None:
                    raise
                return published
            # what the registry has now, in its own words
            digest = self._distributed(name)
            if pushed[-1:] != [digest]:
                raise OutsideError(
                    f"{name}: the engine pushed {pushed[-1] if pushed else 'nothing'}, and the registry has {digest}",
                    fix="somebody else pushes to this tag: run the command again",
                )
            return f"{repository}@{digest}"

    def pull(self, reference: str) -> str:
        facts = self.inspect(reference)
        if facts is not None:
            return facts.image_id
        if reference.startswith("sha256:"):
            raise NotFoundError(
                f"this machine's Docker engine has no image {reference}, and it was never pushed",
                fix="build it again: mlops-ci build-image; `image.push: true` lets other machines pull it",
            )
        with explained(f"{reference} cannot be pulled", registry=_registry(reference)):
            for _ in events(self.client.api.pull(reference, stream=True, decode=True)):
                pass
        facts = self.inspect(reference)
        if facts is None:
            raise OutsideError(f"{reference} was pulled, and the engine does not have it", fix="run the command again")
        return facts.image_id

    def require_published(self, reference: str) -> None:
        with explained(f"{reference} is not in its registry", registry=_registry(reference)):
            self._distributed(reference)

    def inspect(self, reference: str) -> ImageFacts | None:
        with explained(f"the Docker engine does not tell of {reference}"):
            found = self._attributes(reference)
        if found is None:
            return None
        return ImageFacts(
            image_id=found["Id"],
            digests=tuple(sorted(found.get("RepoDigests") or ())),
            labels=found["Config"].get("Labels") or {},
            layers=tuple(found["RootFS"].get("Layers") or ()),
            platform=_platform(found),
            megabytes=found["Size"] / MEGABYTE,
        )

    def files(self, reference: str, folder: str) -> Mapping[str, bytes]:
        with explained(f"the files of {reference} cannot be read"), looking_into(self.client, reference) as found:
            return found.folder(folder)

    def _attributes(self, reference: str) -> dict[str, Any] | None:
        from docker.errors import NotFound

        try:
            found: dict[str, Any] = self.client.api.inspect_image(reference)  # type: ignore[no-untyped-call]
        except NotFound:
            return None
        return found

    def _distributed(self, name: str) -> str:
        """The digest that the registry has for the name now."""
        found = self.client.api.inspect_distribution(name)  # type: ignore[no-untyped-call]
        return str(found["Descriptor"]["digest"])

    def _published_before(self, name: str) -> str | None:
        """What the registry has for the name, by digest, where it is the image that the engine calls so."""
        from docker.errors import APIError

        ours = self._attributes(name)
        try:
            reference = f"{_repository(name)}@{self._distributed(name)}"
        except APIError:  # why it could not be pushed says more
            return None
        return reference if ours is not None and self.pull(reference) == ours["Id"] else None

    def _found(self, name: str, platform: str) -> dict[str, Any] | None:
        found = self._attributes(name)
        return found if found and _platform(found) == platform else None

    def _pulled(self, name: str, platform: str, *, here: str) -> dict[str, Any]:
        """For another platform by digest: to pull the tag would take it from the image of this platform."""
        if platform != here and "@" not in name:
            digest = self._distributed(name)
            name = f"{_repository(name)}@{digest}"
        for _ in events(self.client.api.pull(name, stream=True, decode=True, platform=platform)):
            pass
        found = self._found(name, platform)
        if found is None:
            raise ConfigurationError(
                f"the base image {name} is not made for {platform}", fix="set image.platform, or another image.base"
            )
        return found

    def _looked_into(self, name: str, found: Mapping[str, Any], platform: str, *, runs_here: bool) -> BaseImage:
        reference = _reference(name, found)
        with looking_into(self.client, found["Id"]) as files:
            python = find_python(files, found["Config"], name=name, architecture=platform.partition("/")[2])
        return BaseImage(
            name=name,
            reference=reference,
            digest=reference.rpartition("@")[2],
            image_id=found["Id"],
            platform=platform,
            layers=tuple(found["RootFS"]["Layers"]),
            configuration=found["Config"],
            python=python.path,
            python_version=python.version,
            packages=python.packages,
            megabytes=found["Size"] / MEGABYTE,
            runs_here=runs_here,
        )

    def _taken(self, entries: Mapping[str, bytes | Path]) -> bool:
        """Whether the engine had every layer that was not sent. Another complaint is raised."""
        from docker.errors import APIError

        try:
            self._send(entries)
        except (APIError, Complaint) as error:
            if "no space left" in str(error):
                raise
            return False
        return True

    def _send(self, entries: Mapping[str, bytes | Path]) -> None:
        answer = self.client.api.load_image(stream(entries))  # type: ignore[no-untyped-call]
        for _ in events(answer):
            pass

    def _checked(self, image_id: str, name: str, layers: Sequence[str]) -> str:
        """The engine's id of the image: ours, but for engines that keep images as registries do (containerd)."""
        found = self._attributes(image_id) or self._attributes(name)
        if found is None or tuple(found["RootFS"].get("Layers") or ()) != tuple(layers):
            raise IntegrityError(f"the Docker engine made something else of {name} than was sent")
        return str(found["Id"])

    def _layers_of(self, base: BaseImage) -> _Saved:
        return _Saved(self.client.api.get_image(base.image_id))


class _Saved:
    """The layers of a saved image, unpacked on this disk while the block lasts."""

    def __init__(self, saved: Iterator[bytes]) -> None:
        self._saved = saved
        self._folder = tempfile.TemporaryDirectory(prefix="mlops-ci-base-")

    def __enter__(self) -> list[Path]:
        folder = Path(self._folder.name)
        whole = folder / "image.tar"
        with whole.open("wb") as file:
            file.writelines(self._saved)
        layers = []
        with tarfile.open(whole) as archive:
            manifest = json.load(_member(archive, "manifest.json"))
            for number, name in enumerate(manifest[0]["Layers"]):
                layers.append(folder / f"{number}.tar")
                with layers[-1].open("wb") as file:
                    file.writelines(_member(archive, name))
        whole.unlink()
        return layers

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


def _member(archive: tarfile.TarFile, name: str) -> Any:
    content = archive.extractfile(name)
    if content is None:
        raise ValueError(f"the saved image has no {name}")
    return content


def _platform(found: Mapping[str, Any]) -> str:
    return f"{found['Os']}/{found['Architecture']}"


def _repository(name: str) -> str:
    """Without tag and digest, as the engine spells it."""
    name = name.partition("@")[0]
    head, _, last = name.rpartition("/")
    repository = f"{head}/{last.partition(':')[0]}" if head else last.partition(":")[0]
    return repository.removeprefix("docker.io/").removeprefix("library/")


def _registry(name: str) -> str:
    host = name.partition("/")[0]
    return host if "/" in name and ("." in host or ":" in host or host == "localhost") else "the registry"


def _reference(name: str, found: Mapping[str, Any]) -> str:
    """`repository@sha256:...` of the repository that was named; the image id where that one does not know the image."""
    if "@" in name:
        return f"{_repository(name)}@{name.rpartition('@')[2]}"
    known = sorted(one for one in found.get("RepoDigests") or () if one.partition("@")[0] == _repository(name))
    return known[0] if known else str(found["Id"])
