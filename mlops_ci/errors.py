"""The one hierarchy of errors that a person can act upon, each with its own exit code.

An error says what happened, where, and the exact thing to change. Anything that is not an `MlopsError` is a defect
of the toolkit and is reported as such by the command line (exit code 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong: where it is (file and line, column, row), what it is, how to mend it.

    `name` is the stable name of the check that found it, such as `target-leakage`; "" where it has none.
    """

    where: str
    what: str
    fix: str = ""
    name: str = ""

    def to_json(self) -> dict[str, str]:
        """As `--json` shows it: `where`, `what`, `fix`, and `name` where there is one."""
        value = {"where": self.where, "what": self.what, "fix": self.fix}
        return value | {"name": self.name} if self.name else value

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n    fix: {self.fix}" if self.fix else text


class MlopsError(Exception):
    """A known failure: `what` happened, `fix` is what to do about it, `problems` lists the single findings."""

    exit_code = 3

    def __init__(self, what: str, *, where: str = "", fix: str = "", problems: Sequence[Problem] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix
        self.problems = tuple(problems)

    def __str__(self) -> str:
        lines = [str(Problem(where=self.where, what=self.what, fix=self.fix))]
        lines += [f"  - {problem}" for problem in self.problems]
        return "\n".join(lines)


class ConfigurationError(MlopsError):
    """Wrong usage, or a configuration, repository or user's code that cannot be worked with."""

    exit_code = 2


class DataGateError(MlopsError):
    """The data are not what the schema and the checks demand."""

    exit_code = 10


class ModelGateBlocked(MlopsError):
    """The gate found a named reason why this model must not ship."""

    exit_code = 11


class ParityError(MlopsError):
    """The ONNX graph does not answer as the native model does, or the model cannot be converted at all."""

    exit_code = 12


class VerificationError(MlopsError):
    """A deployed release does not answer as it must."""

    exit_code = 13


class NotYet(VerificationError):
    """Nothing is wrong with the release but that too little time has passed: the same command does it later."""


class ApprovalError(MlopsError):
    """An approval is missing, stale, or not by somebody who may give it."""

    exit_code = 14


class ApprovalMissing(ApprovalError):
    """People, or the forge's own rules, have not let it through yet; once they do, the same command goes on."""


class RolloutAborted(MlopsError):
    """The rollout found the new release worse; the environment is back on the one before."""

    exit_code = 15


class IntegrityError(MlopsError):
    """The store or the event log is not what its digests say."""

    exit_code = 16


class OutsideError(MlopsError):
    """A system outside (store, network, process, Git, Docker) failed; trying again may help."""

    exit_code = 20


class NotFoundError(MlopsError):
    """What was asked for by name (a release, a version, an object of the store) does not exist."""

    exit_code = 2


class Interrupted(MlopsError):
    """The user or the system asked to stop."""

    exit_code = 130
