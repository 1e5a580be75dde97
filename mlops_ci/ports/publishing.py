"""What a forge shows people besides pull requests: comments, checks, issues, deployments, runs and releases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Level = Literal["notice", "warning", "failure"]
Conclusion = Literal["success", "failure", "neutral", "action_required"]
DeploymentState = Literal["in_progress", "success", "failure", "error", "inactive"]
StatusState = Literal["pending", "success", "failure", "error"]


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """Something to say at a line (1 is the first) of a file, whose path begins at the top of the repository."""

    path: str
    line: int
    message: str
    level: Level = "warning"
    title: str = ""


@dataclass(frozen=True, kw_only=True, order=True)
class Order:
    """Which of two writers is the later one: a run of a workflow, and which attempt at it."""

    run: int
    attempt: int = 1


class Publisher(Protocol):
    """Everything may be said again and is there once. A `key` is the name by which it is found; text longer than the
    forge takes is cut, and says so. Addresses are those that people open.

    Raises ConfigurationError where our token may not do it, and OutsideError where the forge fails.
    """

    def comment(self, number: int, *, key: str, body: str, order: Order) -> str:
        """The address of the one comment of that key on an issue or a pull request, which now says `body`.

        What a later writer wrote stays. Comments of other people are never taken for ours, whatever they contain.
        """

    def check(
        self,
        commit: str,
        *,
        name: str,
        conclusion: Conclusion,
        title: str,
        summary: str,
        annotations: Sequence[Annotation] = (),
    ) -> str:
        """The address of the check on the commit, with all annotations."""

    def issue(self, *, key: str, title: str, body: str, labels: Sequence[str] = ()) -> str:
        """The address of the one open issue of that key, brought up to date; a closed one is never opened again."""

    def close_issue(self, key: str, *, comment: str) -> bool:
        """Closes the open issue of that key, and tells people why; False where there is none."""

    def deployment(
        self,
        environment: str,
        commit: str,
        *,
        key: str,
        state: DeploymentState,
        url: str = "",
        description: str = "",
        payload: Mapping[str, str] = {},
    ) -> str:
        """The address of the deployment of that commit and payload, which is now in that state.

        `key` says what is deployed, where an environment holds several things: what of the same key succeeded before
        becomes inactive when this succeeds. `url` is where it serves.
        """

    def status(self, commit: str, *, context: str, state: StatusState, description: str = "", url: str = "") -> None:
        """Says of the commit how the thing called `context` went; what is said last counts."""

    def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str] = {}) -> None:
        """Starts a workflow, named by its file. Raises OutsideError also where nobody can tell whether it started."""

    def repository_dispatch(self, kind: str, payload: Mapping[str, str] = {}) -> None:
        """Starts the workflows that wait for events of that kind; errors as `dispatch`."""

    def release(self, tag: str, *, name: str, body: str, draft: bool = False, commit: str = "") -> str:
        """The address of the release of that tag, which is made at `commit` where it does not exist yet."""
