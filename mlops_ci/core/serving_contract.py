"""What shall run in an environment that a module or an overlay makes: the one value that it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

ALL = 100


@dataclass(frozen=True, kw_only=True)
class Placed:
    """One release's service: `share` is its part of the traffic in whole per cent, `arguments` follow its image's
    entrypoint.
    """

    image: str
    version: int
    arguments: tuple[str, ...]
    share: int = 0


@dataclass(frozen=True, kw_only=True)
class Serving:
    """The releases, by full id, that have a service; `shadow` is the one that gets copies of what others are asked.

    All shares together are 100, or 0 where nothing is routed.
    """

    environment: str
    model: str
    releases: Mapping[str, Placed] = field(default_factory=dict)
    shadow: str | None = None

    @property
    def shares(self) -> dict[str, int]:
        return {release: placed.share for release, placed in self.releases.items() if placed.share}

    def with_release(self, release: str, placed: Placed) -> Serving:
        """With its service, which gets no traffic yet; one that is there already stays as it was started."""
        known = self.releases.get(release)
        if known is not None and known.image == placed.image:
            return self
        share = known.share if known else 0
        return replace(self, releases={**self.releases, release: replace(placed, share=share)})

    def without(self, release: str) -> Serving:
        """Where it had a part of the traffic, nothing is routed any more."""
        rest = {each: placed for each, placed in self.releases.items() if each != release}
        whole = sum(placed.share for placed in rest.values()) == ALL
        kept = rest if whole else {each: replace(placed, share=0) for each, placed in rest.items()}
        return replace(self, releases=kept, shadow=None if self.shadow == release else self.shadow)

    def divided(self, shares: Mapping[str, int], shadow: str | None = None) -> Serving:
        """Raises ValueError for shares that are no division, KeyError for a release that has no service."""
        if shares and (sum(shares.values()) != ALL or min(shares.values()) < 0):
            raise ValueError(f"shares are whole per cent that add up to 100, not {dict(shares)}")
        if shadow is not None and (not shares or shares.get(shadow)):
            raise ValueError("a shadow gets copies of what others are asked, and no part of the traffic itself")
        missing = [each for each in (*shares, *([shadow] if shadow else [])) if each not in self.releases]
        if missing:
            raise KeyError(missing[0])
        parts = {each: replace(placed, share=shares.get(each, 0)) for each, placed in self.releases.items()}
        return replace(self, releases=parts, shadow=shadow)

    def to_json(self) -> dict[str, Any]:
        releases = {
            release: {
                "image": placed.image,
                "version": placed.version,
                "share": placed.share,
                "arguments": list(placed.arguments),
            }
            for release, placed in sorted(self.releases.items())
        }
        return {
            "environment": self.environment, "model": self.model, "releases": releases, "shadow": self.shadow,
        }  # fmt: skip

    @classmethod
    def from_json(cls, value: Any) -> Serving:
        """Raises ValueError where the value is no such thing; what else it may hold is left out."""
        try:
            releases = {str(release): _placed(each) for release, each in value["releases"].items()}
            environment, model, shadow = value["environment"], value["model"], value.get("shadow")
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError("it has not all of environment, model and releases") from error
        if not (isinstance(environment, str) and isinstance(model, str) and isinstance(shadow, str | None)):
            raise ValueError("environment, model and shadow have to be texts")
        return cls(environment=environment, model=model, releases=releases, shadow=shadow)


def _placed(value: Any) -> Placed:
    image, version, share, arguments = (value[key] for key in ("image", "version", "share", "arguments"))
    if not (
        isinstance(image, str)
        and all(isinstance(number, int | float) and number == int(number) for number in (version, share))
        and 0 <= share <= ALL
        and isinstance(arguments, list)
        and all(isinstance(argument, str) for argument in arguments)
    ):
        raise ValueError("a release has an image, a version, a share from 0 to 100 and a list of arguments")
    return Placed(image=image, version=int(version), share=int(share), arguments=tuple(arguments))
