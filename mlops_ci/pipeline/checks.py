"""What a verification is made of: checks with names, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlops_ci.core.parity import Parity
from mlops_ci.errors import OutsideError, Problem, VerificationError


@dataclass(frozen=True, kw_only=True)
class Check:
    """`parity` is how the answers to golden rows compare, of the check that asks them.

    A failure that is `outside` says nothing of the release: the prober or the network failed, and may do better.
    `detail` never repeats what was sent, or what a service said to it: private values may be among that.
    """

    name: str
    ok: bool
    detail: str
    parity: Parity | None = None
    outside: bool = False

    def to_json(self) -> dict[str, Any]:
        parity = {} if self.parity is None else {"parity": self.parity.to_json()}
        return {"name": self.name, "ok": self.ok, "detail": self.detail, **parity}


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was asked of one release at one address, and whether all of it was answered well.

    `load` is what was measured under load; None where there was none.
    """

    release: str
    url: str
    checks: Sequence[Check]
    load: Mapping[str, Any] | None = None

    @property
    def ok(self) -> bool:
        return not self.failed

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if not check.ok]

    @property
    def undecided(self) -> bool:
        """Whether all that failed is outside the release: it is not verified, and not to blame either."""
        return bool(self.failed) and all(check.outside for check in self.failed)

    @property
    def reason(self) -> str:
        return "; ".join(f"{check.name}: {check.detail}" for check in self.failed)

    @property
    def problems(self) -> list[Problem]:
        return [Problem(where="", what=f"{check.name}: {check.detail}", name=check.name) for check in self.failed]

    def of_a_running_service(self) -> Verification:
        """The same where it is known that the service runs: then that nobody reaches it is what was deployed."""
        checks = [replace(check, outside=False) if check.name == "health" else check for check in self.checks]
        return replace(self, checks=checks)

    def to_json(self) -> dict[str, Any]:
        return {
            "release": self.release,
            "url": self.url,
            "ok": self.ok,
            "checks": [check.to_json() for check in self.checks],
            "load": None if self.load is None else dict(self.load),
        }

    def require(self) -> None:
        """Raises VerificationError naming each check that failed, and OutsideError where it is undecided."""
        if self.ok:
            return
        raise (OutsideError if self.undecided else VerificationError)(
            f"{len(self.failed)} of {len(self.checks)} checks failed",
            where=f"release {self.release[:12]} at {self.url}",
            fix="run the command again once the machine and the network are well"
            if self.undecided
            else "the release stays out; look at the service's log and release again once it is mended",
            problems=self.problems,
        )
