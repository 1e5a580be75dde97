from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from mlops_ci.scoring.lanes import DEEPEST, STRETCH, Busy, Costs, Job, Lane

PATIENCE = 60.0


class Gate:
    """Holds a lane's thread until it is opened."""

    def __init__(self) -> None:
        self.reached, self._opened = threading.Event(), threading.Event()

    def pass_through(self) -> None:
        self.reached.set()
        assert self._opened.wait(PATIENCE)

    def open(self) -> None:
        self._opened.set()


class Scene:
    """A lane that is held up by a first job, and what became of the jobs after it, in the order of their ends."""

    def __init__(self, **options: Any) -> None:
        self.lane = Lane(**options)
        self.ended: list[Any] = []
        self._news = threading.Condition()
        self.gate = Gate()
        self.add("first", cost=0.0, work=lambda _: self.gate.pass_through())
        assert self.gate.reached.wait(PATIENCE)

    def add(
        self, name: str, *, cost: float, size: int = 1, work: Callable[[Callable[[], None]], Any] = lambda _: None
    ) -> Job:
        def done(result: Any, seconds: float) -> None:
            assert seconds >= 0
            with self._news:
                self.ended.append((name, result) if isinstance(result, Exception) else name)
                self._news.notify()

        job = Job(work, done, cost=cost, size=size)
        self.lane.add(job)
        return job

    def wait_for(self, count: int) -> list[Any]:
        with self._news:
            assert self._news.wait_for(lambda: len(self.ended) >= count, PATIENCE)
        return self.ended


def test_the_short_goes_before_the_long() -> None:
    scene = Scene(patience=100)
    scene.add("long", cost=10)
    scene.add("short", cost=0.1)
    scene.add("middle", cost=1)
    scene.gate.open()

    assert scene.wait_for(4) == ["first", "short", "middle", "long"]


def test_of_the_same_cost_the_first_goes_first() -> None:
    scene = Scene(patience=100)
    for name in "abc":
        scene.add(name, cost=1)
    scene.gate.open()

    assert scene.wait_for(4) == ["first", "a", "b", "c"]


def test_a_long_one_yields_to_short_ones_within_its_work_and_then_goes_on() -> None:
    scene = Scene(patience=100)
    inner = Gate()
    order: list[str] = []

    def long(pause: Callable[[], None]) -> str:
        order.append("one half")
        inner.pass_through()
        pause()
        order.append("other half")
        return "whole"

    scene.add("long", cost=10, work=long)
    scene.gate.open()
    assert inner.reached.wait(PATIENCE)
    scene.add("longer", cost=20)
    scene.add("short", cost=0.1, work=lambda _: order.append("short"))
    inner.open()

    assert scene.wait_for(4) == ["first", "short", "long", "longer"]
    assert order == ["one half", "short", "other half"]


def test_no_more_than_a_few_are_begun_at_a_time() -> None:
    scene = Scene(patience=1000)
    begun: list[int] = []

    def nested(level: int) -> Callable[[Callable[[], None]], None]:
        def work(pause: Callable[[], None]) -> None:
            begun.append(level)
            if level < 10:
                scene.add(str(level + 1), cost=100 - 10 * (level + 1), work=nested(level + 1))
            pause()
            begun.append(-level)

        return work

    scene.add("1", cost=90, work=nested(1))
    scene.gate.open()
    scene.wait_for(11)

    depth, deepest = 0, 0
    for step in begun:
        depth += 1 if step > 0 else -1
        deepest = max(deepest, depth)
    assert deepest == DEEPEST


def test_a_job_that_fails_hands_its_error_on_and_the_lane_goes_on() -> None:
    scene = Scene(patience=100)

    def fail(_: Any) -> None:
        raise RuntimeError("no")

    scene.add("bad", cost=0.1, work=fail)
    scene.add("good", cost=0.2)
    scene.gate.open()

    _, (name, error), good = scene.wait_for(3)
    assert (name, str(error), good) == ("bad", "no", "good")


def test_what_nobody_waits_for_is_not_done() -> None:
    scene = Scene(patience=100)
    done: list[str] = []
    scene.add("gone", cost=0.1, work=lambda _: done.append("gone")).abandoned = True
    scene.add("here", cost=0.2, work=lambda _: done.append("here"))
    scene.gate.open()

    assert scene.wait_for(2) == ["first", "here"]
    assert done == ["here"]


def test_what_would_wait_too_long_is_refused_with_the_time_to_wait() -> None:
    scene = Scene(patience=2.0)
    scene.add("a", cost=1.5)
    scene.add("b", cost=1.5)
    with pytest.raises(Busy) as refused:
        scene.add("c", cost=1.5)
    scene.add("short", cost=0.1)  # only what would be done before it counts
    scene.gate.open()

    assert refused.value.seconds == pytest.approx(3.0)
    assert scene.wait_for(4) == ["first", "short", "a", "b"]
    scene.add("c", cost=1.5)
    assert scene.wait_for(5)[-1] == "c"


def test_what_nobody_waits_for_holds_nobody_up() -> None:
    scene = Scene(patience=2.0)
    for name in "ab":
        scene.add(name, cost=1.5).abandoned = True
    scene.add("c", cost=1.5)
    scene.gate.open()

    assert scene.wait_for(2) == ["first", "c"]


def test_the_bytes_that_wait_are_bounded() -> None:
    scene = Scene(patience=100, waiting_bytes=100)
    scene.add("one that is alone may be larger", cost=1, size=1000)
    with pytest.raises(Busy):
        scene.add("another", cost=0.1, size=1)
    scene.gate.open()

    scene.wait_for(2)
    scene.add("later", cost=1, size=50)
    assert scene.wait_for(3)[-1] == "later"


def test_a_long_one_is_not_overtaken_for_ever() -> None:
    scene = Scene(patience=1000)
    long = scene.add("long", cost=1)
    # what comes later than this is due after it, however short it is
    late = Job(lambda _: None, lambda *_: None, cost=0.0, size=1)
    late.due = (long.due[0] - STRETCH * 1 + STRETCH * 1.001, 10**9)

    assert long < late
    scene.gate.open()


def test_costs_are_linear_between_and_beyond_what_was_measured_and_never_below_it() -> None:
    costs = Costs({100: 1e-3, 1_100: 2e-3})

    assert costs.of(0) == costs.of(3) == pytest.approx(1e-3)
    assert 1e-3 <= costs.of(150) <= 1.2e-3
    assert costs.of(10_000_000) == pytest.approx(costs.of(2**23), rel=1e-9)
    assert 5 < costs.of(10_000_000) < 20


def test_costs_that_do_not_grow_are_taken_as_they_are() -> None:
    assert Costs({100: 2e-3, 1_100: 1e-3}).of(10**6) == pytest.approx(2e-3)


def test_costs_follow_what_is_measured_and_one_outlier_does_little() -> None:
    costs = Costs({100: 1e-3, 1_000: 1e-3})

    costs.learn(100, 10.0)
    assert costs.of(100) < 2e-3
    for _ in range(50):
        costs.learn(100, 5e-3)
    assert costs.of(100) == pytest.approx(5e-3, rel=0.01)
    assert costs.of(1_000) == pytest.approx(1e-3)
