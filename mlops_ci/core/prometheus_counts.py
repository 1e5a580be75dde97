"""Counts of live requests from what Prometheus has collected of the services' own metrics.

A service that is started anew counts from nothing, and pods come and go. So each series is counted by itself, from the
moment at which the latest release was started: what it shows last, less what it showed then. What Prometheus sees is as
old as its latest visit, and the requests that no pod answered are in none of it.

Source: https://prometheus.io/docs/prometheus/latest/querying/api/#instant-vectors
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_ci.core.traffic import LiveCounts

SCORING = "/score|/v2/models/.*/infer"
SHORTEST = 300
"""Seconds; a series of which nothing came for longer is one that ended."""
Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Question:
    """A query, and the moment (in Unix time) that it is about."""

    query: str
    time: float


def questions(base_path: str, *, since: float, now: float) -> Mapping[str, tuple[Question, Question]]:
    """For the errors and for the times what to ask of the beginning, and of the present."""
    info = f'mlops_ci_model_info{{base_path="{_escaped(base_path)}"}}'
    series = {
        "errors": f'mlops_ci_requests_total{{path=~"{SCORING}",status=~"5.."}}',
        "times": "mlops_ci_request_seconds_bucket",
    }

    def question(name: str, seconds: float, time: float) -> Question:
        window = f"[{max(int(seconds) + 1, SHORTEST)}s]"
        joined = "* on (job, instance, pod) group_left (release)"
        return Question(
            query=f"last_over_time({series[name]}{window}) {joined} last_over_time({info}{window})", time=time
        )

    return {name: (question(name, SHORTEST, since), question(name, now - since, now)) for name in series}


def samples(answer: Any) -> Mapping[Key, float]:
    """The answer's series with their labels. Raises ValueError where it is none of an instant query."""
    try:
        if answer["status"] != "success":
            raise ValueError(str(answer.get("error", "it failed")))
        return {tuple(sorted(each["metric"].items())): float(each["value"][1]) for each in answer["data"]["result"]}
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError("this is no answer of Prometheus to an instant query") from error


def counts(
    answers: Mapping[str, tuple[Mapping[Key, float], Mapping[Key, float]]], releases: Collection[str], *, counter: str
) -> Mapping[str, LiveCounts]:
    """By release: what the model answered and what failed with a 5xx; a user's own mistake (4xx) is neither."""
    errors: Counter[str] = Counter()
    for key, number in _since(*answers["errors"]).items():
        errors[dict(key).get("release", "")] += number
    within: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for key, number in _since(*answers["times"]).items():
        labels = dict(key)
        within[labels.get("release", "")][labels.get("le", "")] += number
    return {
        release: LiveCounts(
            requests=within[release]["+Inf"] + errors[release],
            errors=errors[release],
            # how long a failure took is not known, and it is not counted as slow besides
            within={
                round(float(bound) * 1000, 3): number + errors[release]
                for bound, number in sorted(within[release].items(), key=lambda item: float(item[0]))
                if bound != "+Inf"
            },
            counter=counter,
        )
        for release in releases
    }


def _since(then: Mapping[Key, float], now: Mapping[Key, float]) -> Mapping[Key, int]:
    before = {key: then.get(key, 0.0) for key in now}
    return {key: round(value - before[key] if value >= before[key] else value) for key, value in now.items()}


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
