"""What the targets on this machine share: the folders of their services, one command at a time, the local router."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlops_ci.adapters.disk import refusals_named, require_room
from mlops_ci.adapters.file_lock import locked
from mlops_ci.adapters.traefik import Traefik
from mlops_ci.adapters.traefik_configuration import Part
from mlops_ci.core.traffic import LiveCounts
from mlops_ci.errors import ConfigurationError, OutsideError
from mlops_ci.ports import Instance

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one release's service in one environment keeps its files."""

    environment: str
    model: str
    release: str
    folder: Path

    def make(self) -> None:
        """Makes the folder, for its owner alone: what clients sent is logged in it.

        Raises OutsideError where the disk is full.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        require_room(self.folder)


class LocalEnvironments:
    """The environments of one project on this machine, whatever their services run in; all is kept below `run_dir`."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir.resolve()
        self._router = Traefik(self.run_dir / "router")

    @contextmanager
    def exclusive(self, environment: str, model: str) -> Iterator[None]:
        path = self.folder(environment, model) / "lock"
        what = f"another command is at work on {model} in {environment}"
        with refusals_named(self.run_dir), locked(path, what=what):
            yield

    def folder(self, environment: str, model: str) -> Path:
        """The folder of the places; names come from files and arguments, and none may lead out of it."""
        for name in (environment, model):
            if not NAME.fullmatch(name):
                raise ConfigurationError(f"{name!r} is no name for an environment or a model")
        return self.run_dir / "services" / environment / model

    def place(self, environment: str, model: str, release: str) -> Place:
        folder = self.folder(environment, model)
        if not NAME.fullmatch(release):
            raise ConfigurationError(f"{release!r} is no release id")
        return Place(environment=environment, model=model, release=release, folder=folder / release)

    def places(self, environment: str, model: str) -> Iterator[Place]:
        """Every release of which something was kept here, in the order of their ids."""
        folder = self.folder(environment, model)
        for inner in sorted(folder.iterdir()) if folder.is_dir() else []:
            if inner.is_dir():
                yield Place(environment=environment, model=model, release=inner.name, folder=inner)

    def all_places(self) -> Iterator[Place]:
        for folder in (self.run_dir / "services").glob("*/*/"):
            yield from self.places(folder.parent.name, folder.name)

    def route(
        self,
        environment: str,
        model: str,
        shares: Mapping[str, int],
        address: Callable[[str], str | None],
        *,
        shadow: str | None = None,
    ) -> None:
        """Divides the traffic; `address` says where a release's service listens, or None where it does not run."""
        if shares and (sum(shares.values()) != 100 or min(shares.values()) < 0):
            raise ValueError(f"shares are whole per cent that add up to 100, not {dict(shares)}")
        if shadow is not None and (not shares or shares.get(shadow)):
            raise ValueError("a shadow gets copies of what others are asked, and no part of the traffic itself")

        def where(release: str) -> str:
            url = address(release)
            if url is None:
                raise OutsideError(f"release {release[:12]} of {model} does not run in {environment}")
            return url

        parts = {release: Part(percent=share, url=where(release)) for release, share in shares.items() if share}
        self._router.divide(environment, model, parts, shadow=(shadow, where(shadow)) if shadow else None)

    def follow(self, environment: str, model: str, instance: Instance) -> None:
        """To be told of what was started: if it is to get traffic already, it died in service and may have moved."""
        declared = self._router.declared(environment, model)
        parts, shadow = dict(declared.parts), None
        if declared.shadow is not None:
            shadow = (declared.shadow.release, declared.shadow.url)
        if instance.release in parts:
            parts[instance.release] = Part(percent=parts[instance.release].percent, url=instance.url)
        elif shadow is not None and shadow[0] == instance.release:
            shadow = (instance.release, instance.url)
        else:
            return
        self._router.divide(environment, model, parts, shadow=shadow)

    def traffic(self, environment: str, model: str) -> Mapping[str, LiveCounts]:
        self.folder(environment, model)
        return self._router.counts(environment, model)

    def shares(self, environment: str, model: str) -> Mapping[str, int]:
        self.folder(environment, model)
        return {release: part.percent for release, part in self._router.in_force(environment, model).parts.items()}

    def url(self, environment: str, model: str) -> str:
        self.folder(environment, model)
        return self._router.url(environment, model)

    def stop_router(self) -> None:
        """Ends the router; what was routed is not forgotten."""
        self._router.stop()
