"""What is counted of the services' own metrics, pods that come, go and begin anew among them."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_ci.core.prometheus_counts import counts, questions, samples

BASE = "/production/late"


def answer(*series: tuple[dict[str, str], float]) -> Any:
    result = [{"metric": labels, "value": [1.0, str(value)]} for labels, value in series]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def times(pod: str, release: str, quick: float, everything: float) -> list[tuple[dict[str, str], float]]:
    return [
        ({"instance": pod, "release": release, "le": "0.1"}, quick),
        ({"instance": pod, "release": release, "le": "+Inf"}, everything),
    ]


def test_each_series_counts_from_the_beginning_of_the_latest_release() -> None:
    then = samples(answer(*times("1", "a", 90, 100)))
    now = samples(answer(*times("1", "a", 95, 110), *times("2", "a", 5, 5), *times("3", "b", 7, 8)))
    failed = samples(answer(({"instance": "3", "release": "b", "status": "500"}, 2.0)))
    found = counts({"times": (then, now), "errors": ({}, failed)}, ("a", "b", "c"), counter="t")
    assert (found["a"].requests, found["a"].errors, found["a"].within) == (15, 0, {100.0: 10})
    # what failed is a request, and not slow besides
    assert (found["b"].requests, found["b"].errors, found["b"].within) == (10, 2, {100.0: 9})
    assert (found["c"].requests, found["c"].counter) == (0, "t")


def test_a_service_that_began_anew_is_counted_from_nothing() -> None:
    then, now = samples(answer(*times("1", "a", 90, 100))), samples(answer(*times("1", "a", 3, 4)))
    assert counts({"times": (then, now), "errors": ({}, {})}, ("a",), counter="t")["a"].requests == 4


def test_the_questions_are_of_this_environment_alone() -> None:
    asked = questions('/qa"/x\\', since=1000.0, now=5000.5)
    then, now = asked["errors"]
    assert (then.time, now.time) == (1000.0, 5000.5)
    assert 'mlops_ci_model_info{base_path="/qa\\"/x\\\\"}[4001s]' in now.query
    assert "[301s]" in then.query
    assert 'status=~"5.."' in now.query


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "x",
        {},
        {"status": "error", "error": "many-to-many"},
        {"status": "success"},
        {"status": "success", "data": {"result": [{}]}},
    ],
)
def test_what_is_no_answer_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        samples(value)
