"""Whether a division of traffic is in force, judged by who answers at the environment's address.

A control plane says at once that it has taken a division over; load balancers follow when they do. What counts is what
users get.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

STEADY = 20
"""So many of the latest answers have to be right, one after the other."""


def in_force(shares: Mapping[str, int], answers: Sequence[str]) -> bool:
    """Whether the answers, oldest first, each the id of the release that gave it or empty, agree with the shares.

    Since the last answer of a release that has no share, and the last that nobody gave, there were enough, and every
    release with a share has given one. At 100 per cent that is exact; in between, it says that both are asked, not how
    often.
    """
    wanted = {release for release, share in shares.items() if share}
    lately: set[str] = set()
    for number, release in enumerate(reversed(answers), start=1):
        if release not in wanted:
            return False
        lately.add(release)
        if number >= STEADY and lately == wanted:
            return True
    return False


def answers_needed(shares: Mapping[str, int]) -> int:
    """After so many right answers a release with a share is missing by chance less than once in a million times."""
    smallest = min((share for share in shares.values() if share), default=100) / 100
    needed, missing = 0, 1.0
    while missing > 1e-6 and smallest < 1:
        needed, missing = needed + 1, missing * (1 - smallest)
    return max(STEADY, needed)


def seen(answers: Sequence[str]) -> str:
    """What was seen lately, for people: how many of the latest answers each release gave."""
    latest = Counter(list(answers)[-STEADY:])
    parts = (f"{count} by {release[:12] if release else 'nobody'}" for release, count in latest.most_common())
    return f"of the latest {latest.total()} answers " + (", ".join(parts) or "none came")
