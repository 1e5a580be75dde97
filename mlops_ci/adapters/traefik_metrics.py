"""What Traefik's Prometheus metrics say of the releases that serve a model in an environment.

A release that has all the traffic is counted where its users are answered: one request, one count, however often the
router had to try. Releases that share the traffic are counted where each is asked: what one could not take is an error
of that one, and the answer that the other gave instead is the other's.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping

from mlops_ci.adapters.traefik_configuration import front_of, name_of, sharing_of
from mlops_ci.core.traffic import LiveCounts

BOUNDS_MS = (
    *(1.0, 2.0, 5.0, 10.0, 12.5, 16.0, 20.0, 25.0, 32.0, 40.0, 50.0, 63.0, 80.0, 100.0, 125.0, 160.0, 200.0, 250.0),
    *(320.0, 400.0, 500.0, 630.0, 800.0, 1_000.0, 1_250.0, 1_600.0, 2_000.0, 2_500.0, 3_200.0, 4_000.0, 5_000.0),
    10_000.0,
)
"""From a small model's answer within the machine to one that no user waits for, from 10 ms on about a quarter apart.

What a rollout calls slow is beyond the next one after twice stable's 99th percentile. Where that is far off, a release
three times as slow is not found.
"""
LINE = re.compile(r"traefik_(router|service)_request_duration_seconds_(bucket|count)\{(.*)\} (\S+)")
START = re.compile(r"^process_start_time_seconds (\S+)", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')


def live_counts(metrics: str, environment: str, model: str) -> Mapping[str, LiveCounts]:
    """The counts by release, of each that the router has counted anything of and still knows."""
    name, started = name_of(environment, model), START.search(metrics)
    own = re.compile(rf"{re.escape(name)}~([^~]+)~[a-z]+@file")
    requests: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    within: defaultdict[str, Counter[float]] = defaultdict(Counter)
    for counted, kind, labels, value in LINE.findall(metrics):
        label = dict(LABEL.findall(labels))
        found = own.fullmatch(label.get("service", ""))
        if found is None:
            continue
        release = found[1]
        where = front_of(name, release) if counted == "router" else sharing_of(name, release)
        if label["service"] != f"{where}@file":
            continue
        number = int(float(value))
        if kind == "count":
            requests[release] += number
            errors[release] += number if label["code"].startswith("5") else 0
        elif label["le"] != "+Inf":
            within[release][round(float(label["le"]) * 1000, 3)] += number
    return {
        release: LiveCounts(
            requests=requests[release],
            errors=errors[release],
            within={bound: within[release][bound] for bound in BOUNDS_MS},
            counter=started[1] if started else "",
        )
        for release in requests
    }
