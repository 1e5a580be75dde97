"""What is merged is what people approved: the guard that the forges which are servers share."""

from __future__ import annotations

from mlops_ci.errors import ApprovalError
from mlops_ci.ports import PullRequest


def require_approved_head(pull: PullRequest, approved: str, *, called: str = "pull request") -> None:
    """Raises ApprovalError where it is closed, or shows another commit than the one that was approved.

    A commit of zeros is none: a forge may take it for "whatever the branch shows". `called` is the forge's own word.
    """
    if pull.state == "closed" or pull.head != approved or not approved.strip("0"):
        raise ApprovalError(
            f"{called} {pull.number} is {pull.state} and shows {pull.head[:12]}, approved was {approved[:12]}",
            where=pull.url,
            fix="look at what it shows now and approve that",
        )
