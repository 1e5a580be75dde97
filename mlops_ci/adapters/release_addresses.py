"""The addresses of a model behind a cluster's gateway: the environment's stable one, and that of each release."""

from __future__ import annotations

from collections.abc import Mapping

from mlops_ci.adapters.asked_division import wait_until_divided, wait_until_ready, who_answers, why_not_ready
from mlops_ci.adapters.http_exchange import Origin
from mlops_ci.core.kubernetes_names import Names
from mlops_ci.ports import Instance

AT_A_GLANCE = 3


class ReleaseAddresses:
    """`url` is the gateway's. Raises ConfigurationError where that is no address."""

    def __init__(self, url: str, names: Names) -> None:
        Origin.of(url)
        self._url = url.rstrip("/")
        self._names = names

    @property
    def stable(self) -> str:
        return self._url + self._names.path

    def of(self, release: str) -> str:
        return self._url + self._names.release_path(release)

    def instance(self, release: str) -> Instance:
        """The release's service as its own address shows it."""
        return self._instance(release, why_not_ready(self.of(release), release))

    def until_ready(self, release: str, *, patience: float) -> Instance:
        """The instance as soon as it is healthy, or as it is when the patience is at its end."""
        return self._instance(release, wait_until_ready(self.of(release), release, patience=patience))

    def until_divided(self, shares: Mapping[str, int], *, patience: float) -> None:
        """Raises OutsideError where the stable address's answers never agree with the shares."""
        wait_until_divided(self.stable, shares, patience=patience)

    def agree(self, shares: Mapping[str, int]) -> bool:
        """Whether the stable address's next answers are all of releases that have a share."""
        return all(shares.get(who_answers(self.stable)) for _ in range(AT_A_GLANCE))

    def _instance(self, release: str, trouble: str) -> Instance:
        return Instance(release=release, url=self.of(release), healthy=not trouble, trouble=trouble)
