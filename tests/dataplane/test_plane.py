"""The data plane with real containers of a small web server in place of scoring services."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.dataplane.asking import get
from tests.dataplane.plane import DataPlane, Route, Service

pytestmark = pytest.mark.docker


def test_weights_health_replacement_and_crashes(plane: DataPlane, image: str) -> None:
    def service(*arguments: str) -> Service:
        return Service(image=image, arguments=arguments)

    routes = [Route("/blue/only*", {"blue": 1}, match="pattern"), Route("/a", {"blue": 3, "green": 1})]
    plane.become({"blue": service("blue"), "green": service("green")}, routes)
    plane.settle()

    answers = Counter(get(plane, "/a/x")[1] for _ in range(20))
    assert answers == {"blue": 15, "green": 5}
    assert get(plane, "/blue/only/this") == (200, "blue")
    assert [get(plane, path)[0] for path in ("/ab", "/", "/blue/onl", "/a/fails")] == [404, 404, 404, 500]
    counts = [plane.counts(key) for key in ("blue", "green")]
    assert sum(each.requests for each in counts) == 22
    assert sum(each.errors for each in counts) == 1
    assert all(each.within(30) == each.requests > each.within(0) for each in counts)

    # What never becomes healthy does not take over, and what crashes is started again and again.
    plane.become({"blue": service("sick"), "green": service("crashes")}, routes)
    plane.wait(lambda: plane.status("green").failures >= 2)
    assert plane.status("green").serving == service("green")
    assert "exit code 1" in plane.problems["green"]
    assert {get(plane, "/a")[1] for _ in range(8)} == {"blue", "green"}
    assert sum(line.text == "I cannot start" for lines in plane.output("green").values() for line in lines) >= 2

    # A new one takes over; nothing else takes the traffic of one that is gone.
    plane.become({"blue": service("newer")}, routes)
    plane.settle()
    assert Counter(get(plane, "/a") for _ in range(8)) == {(200, "newer"): 6, (503, "no available server\n"): 2}
    assert plane.containers("green") == []

    assert get(plane, "/a/dies")[0] in (200, 503)
    plane.wait(lambda: plane.status("blue").failures == 1)
    plane.settle()
    assert "dying" in [line.text for lines in plane.output("blue").values() for line in lines]
    assert len(plane.containers("blue")) == 1


def test_an_image_that_the_registry_does_not_have(plane: DataPlane, image: str) -> None:
    plane.become(
        {"blue": Service(image=image.replace("@sha256:", "@sha256:0")[: len(image)])}, [Route("/a", {"blue": 1})]
    )
    plane.wait(lambda: plane.status("blue").failures > 0)

    assert "cannot be started" in plane.problems["blue"]
    assert get(plane, "/a")[0] == 503
