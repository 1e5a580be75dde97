"""Whether a retraining is due, and what its pull request says."""

from __future__ import annotations

from datetime import datetime, timedelta

from mlops_ci.core.state import ModelState
from mlops_ci.ports import PullRequest

BY_HAND = "by hand"
"""The reason that no cooldown holds back."""


def retrain_branch(model: str) -> str:
    return f"mlops-ci/retrain/{model}"


def taken_over(state: ModelState, pull: PullRequest | None) -> str:
    """Why the open pull request may hold work of people, which another proposal would throw away; empty where it does
    not.
    """
    last = state.latest.get("retrain-opened")
    known = last.subject.get("head") if last else None
    if pull is None or known is None or known == pull.head:
        return ""
    return f"pull request {pull.number} shows a commit that somebody pushed to it: merge or close it first"


def too_soon(state: ModelState, *, reason: str, cooldown: timedelta, now: datetime) -> str:
    """Why it is too early to propose another retraining; empty where it is not."""
    last = state.latest.get("retrain-opened")
    if reason == BY_HAND or last is None or now - last.at >= cooldown:
        return ""
    return f"one was proposed at {last.time} already, and the cooldown is {cooldown}"
