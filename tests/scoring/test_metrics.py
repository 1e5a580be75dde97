from __future__ import annotations

import math
import os
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from mlops_ci.scoring.metrics import BOUNDS, Counts, Metrics

PATHS = ["/score", "other"]


def values(metrics: Metrics, **info: str) -> dict[tuple[str, frozenset[Any]], float]:
    families = list(text_string_to_metric_families(metrics.text(PATHS, info).decode()))
    assert all(family.documentation for family in families)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return values(metrics)[name, frozenset(labels.items())]


def test_requests_are_counted_by_path_and_status() -> None:
    metrics = Metrics()
    counts = Counts(metrics, 0, PATHS)
    for status in (200, 200, 422, 418):
        counts.answered("/score", status)
    counts.answered("other", 404)

    assert value(metrics, "mlops_ci_requests_total", path="/score", status="200") == 2
    assert value(metrics, "mlops_ci_requests_total", path="/score", status="422") == 1
    assert value(metrics, "mlops_ci_requests_total", path="/score", status="other") == 1
    assert value(metrics, "mlops_ci_requests_total", path="other", status="404") == 1
    assert len([name for name, _ in values(metrics) if name == "mlops_ci_requests_total"]) == 4


def test_the_histogram_adds_up() -> None:
    metrics = Metrics()
    counts = Counts(metrics, 0, PATHS)
    for seconds in (0.00005, BOUNDS[0], 0.003, 99.0):
        counts.scored(seconds, 10)

    def bucket(bound: str) -> float:
        return value(metrics, "mlops_ci_request_seconds_bucket", le=bound)

    assert [bucket("0.0001"), bucket("0.0025"), bucket("0.005"), bucket("10.0"), bucket("+Inf")] == [2, 2, 3, 3, 4]
    assert value(metrics, "mlops_ci_request_seconds_count") == 4
    assert math.isclose(value(metrics, "mlops_ci_request_seconds_sum"), 99.00315)
    assert value(metrics, "mlops_ci_rows_total") == 40


def test_workers_add_up_and_what_a_dead_one_counted_stays() -> None:
    metrics = Metrics(2)
    first, second = Counts(metrics, 0, PATHS), Counts(metrics, 1, PATHS)
    for counts in (first, second):
        counts.ready(True)
        counts.came()
        counts.answered("/score", 200)
        counts.log_dropped(3)
        counts.shed()
    assert value(metrics, "mlops_ci_ready") == 1

    metrics.ended(1, 12.5)

    assert value(metrics, "mlops_ci_ready") == 0
    assert value(metrics, "mlops_ci_in_flight") == 1
    assert value(metrics, "mlops_ci_log_dropped_total") == 6
    assert value(metrics, "process_cpu_seconds_total") >= 12.5
    again = Counts(metrics, 1, PATHS)
    again.ready(True)
    again.answered("/score", 200)
    again.log_dropped(1)
    assert value(metrics, "mlops_ci_requests_total", path="/score", status="200") == 3
    assert value(metrics, "mlops_ci_log_dropped_total") == 7
    assert value(metrics, "mlops_ci_shed_total") == 2
    assert value(metrics, "mlops_ci_ready") == 1


def test_a_child_counts_in_the_same_memory() -> None:
    metrics = Metrics(2)
    child = os.fork()
    if not child:
        Counts(metrics, 1, PATHS).answered("/score", 200)
        os._exit(0)
    os.waitpid(child, 0)

    assert value(metrics, "mlops_ci_requests_total", path="/score", status="200") == 1


def test_the_process_is_described() -> None:
    metrics = Metrics()
    Counts(metrics, 0, PATHS)

    assert 1e6 < value(metrics, "process_resident_memory_bytes") < 1e11
    assert value(metrics, "process_cpu_seconds_total") > 0
    assert value(metrics, "process_start_time_seconds") > 1.7e9


def test_any_name_can_be_said() -> None:
    info = {"model": 'a"b\\c\nd', "version": "3", "release": "", "model_digest": "f" * 64}

    assert values(Metrics(), **info)["mlops_ci_model_info", frozenset(info.items())] == 1
