"""Asks services behind a load balancer who they are: a release at its own address, all of them at the shared one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping

from mlops_ci.adapters.http_exchange import Exchange, Origin
from mlops_ci.core.observed_division import answers_needed, in_force, seen
from mlops_ci.errors import OutsideError
from mlops_ci.ports import PROBE, Reply

READY = "/v2/health/ready"
RELEASE = "x-mlops-release"
MARKED = {"x-request-id": f"{PROBE}ready"}
ANSWER_SECONDS = 5.0
PAUSE_SECONDS, SLOWER = 0.1, 1.3
"""Between two questions, and how much longer each time where nobody is ready yet."""
LONGEST_PAUSE = 5.0


def is_ready(url: str, release: str) -> bool:
    """Whether that very release answers there that it is ready."""
    return why_not_ready(url, release) == ""


def why_not_ready(url: str, release: str) -> str:
    """What is wrong at the address; empty where the release answers there that it is ready."""
    reply = _asked(url)
    answered = reply.headers.get(RELEASE, "")
    if answered and answered != release:
        return f"release {answered[:12]} answers there"
    return "" if reply.status == 200 and answered else reply.summary


def who_answers(url: str) -> str:
    """The release that answers there that it is ready; empty where none does."""
    reply = _asked(url)
    return reply.headers.get(RELEASE, "") if reply.status == 200 else ""


def wait_until_ready(url: str, release: str, *, patience: float) -> str:
    """Empty once the release answers that it is ready; else what was wrong when the patience was over."""
    deadline, pause = time.monotonic() + patience, PAUSE_SECONDS
    while trouble := why_not_ready(url, release):
        if time.monotonic() + pause > deadline:
            return trouble
        time.sleep(pause)
        pause = min(SLOWER * pause, LONGEST_PAUSE)
    return ""


def wait_until_divided(url: str, shares: Mapping[str, int], *, patience: float) -> None:
    """Asks again and again until the answers agree with the division.

    Raises OutsideError with what was seen where they do not within the patience; each release is given so many
    questions, though, that it is not missed by chance.
    """
    exchange = Exchange(Origin.of(url), timeout=ANSWER_SECONDS)
    deadline, needed = time.monotonic() + patience, answers_needed(shares)
    answers: deque[str] = deque(maxlen=needed)
    right = 0
    try:
        while not in_force(shares, answers):
            if answers and time.monotonic() > deadline and not 0 < right < needed:
                raise OutsideError(
                    f"the division of traffic is not in force after {patience:g} s: {seen(answers)}", where=url,
                    fix="look at the load balancer's targets; then run the command again",
                )  # fmt: skip
            answers.append(exchange.ask(READY, headers=MARKED).headers.get(RELEASE, ""))
            right = right + 1 if shares.get(answers[-1]) else 0
            if not right:
                time.sleep(PAUSE_SECONDS)
    finally:
        exchange.close()


def _asked(url: str) -> Reply:
    exchange = Exchange(Origin.of(url), timeout=ANSWER_SECONDS)
    try:
        return exchange.ask(READY, headers=MARKED)
    finally:
        exchange.close()
