"""What is made of an overlay, the route, and what is read from both: tables of cases."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_ci.core.kubernetes_manifests import is_made_by, is_of, kind_of, wrong_in_release
from mlops_ci.core.kubernetes_names import Names, label_value, short
from mlops_ci.core.kubernetes_route import (
    Serving,
    check_division,
    http_route,
    is_taken_over,
    refusals,
    serving_of,
    shares_of,
    wrong_in_frame,
)
from mlops_ci.core.records import Release
from mlops_ci.errors import OutsideError

NAMES = Names(environment="production", model="late")
FRAME = {
    "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
    "metadata": {"labels": {"team": "a"}}, "spec": {"parentRefs": [{"name": "models"}]},
}  # fmt: skip
RELEASE = Release(model="late", version=1, lock="l", commit="c", files={}, image="r/late@sha256:aa", evidence={})
A, B, C = "a" * 64, "b" * 64, "c" * 64
HOSTILE = ("a" * 63, "a-", "a--b", "x" + "-" * 62, "late-" + "9" * 58)


@pytest.mark.parametrize("model", ["late", *HOSTILE])
@pytest.mark.parametrize("environment", ["qa", "production", *HOSTILE])
def test_names_are_names_whatever_is_declared(environment: str, model: str) -> None:
    names = Names(environment=environment, model=model)
    for name in (names.route, names.service(A)):
        assert len(name) <= 63
        assert name[0].isalpha()
        assert name[-1].isalnum()
        assert name == name.lower()
    assert names.service(A).endswith(f"-{short(A)}")
    for value in names.release_labels(A).values():
        assert 0 < len(value) <= 63
        assert value[-1].isalnum()


def test_no_two_places_share_a_name() -> None:
    pairs = [("qa", "a-b"), ("qa-a", "b"), ("qa", "b"), ("a", "b-c"), ("a-b", "c"), ("qa", "a" * 63), ("qa", "a" * 62)]
    routes = {Names(environment=environment, model=model).route for environment, model in pairs}
    assert len(routes) == len(pairs)
    assert Names(environment="production", model="late").service(A) == f"scoring-production-late-{'a' * 12}"


def test_labels_that_differ_stay_different() -> None:
    values = [label_value(text) for text in ("late", *HOSTILE, "a" * 64, "a" * 65, "é", "")]
    assert len(set(values)) == len(values)


def test_the_route_divides_by_share_and_reaches_each_release_alone() -> None:
    serving = Serving().started(A, at="2026-01-01", port=8080).started(B, at="2026-01-02", port=80)
    serving = serving.divided({A: 90, B: 10}, None)
    route = http_route(FRAME, NAMES, serving, namespace="n")
    paths = [rule["matches"][0]["path"]["value"] for rule in route["spec"]["rules"]]
    assert paths == [f"/production/late/releases/{A[:12]}", f"/production/late/releases/{B[:12]}", "/production/late"]
    assert route["spec"]["rules"][-1]["backendRefs"] == [
        {"name": NAMES.service(A), "port": 8080, "weight": 90},
        {"name": NAMES.service(B), "port": 80, "weight": 10},
    ]
    assert route["spec"]["parentRefs"] == [{"name": "models"}]
    assert route["metadata"]["labels"]["team"] == "a"
    assert is_of(route, NAMES.labels)
    assert serving_of(route) == serving
    assert shares_of(route, NAMES) == {A: 90, B: 10}
    assert serving.since == "2026-01-02"


def test_a_shadow_gets_copies_of_what_the_others_are_asked() -> None:
    serving = Serving().started(A, at="1", port=1).started(B, at="2", port=1).divided({A: 100, B: 0}, B)
    route = http_route(FRAME, NAMES, serving, namespace="n")
    rule = route["spec"]["rules"][-1]
    assert rule["filters"] == [
        {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": NAMES.service(B), "port": 1}}}
    ]
    assert [part["name"] for part in rule["backendRefs"]] == [NAMES.service(A)]
    assert serving_of(route).stopped(B) == Serving().started(A, at="1", port=1).divided({A: 100}, None)


def test_a_division_that_others_have_edited_is_read_as_it_is() -> None:
    serving = Serving().started(A, at="1", port=1).divided({A: 100}, None)
    route = http_route(FRAME, NAMES, serving, namespace="n")
    route["spec"]["rules"][-1]["backendRefs"].append({"name": "theirs", "port": 1, "weight": 100})
    assert shares_of(route, NAMES) == {A: 50, "theirs": 50}
    route["spec"]["rules"].pop()
    assert shares_of(route, NAMES) == {}


def test_a_release_that_is_started_again_keeps_its_beginning() -> None:
    assert Serving().started(A, at="1", port=1).started(A, at="2", port=3).since == "1"
    with pytest.raises(ValueError, match="no record"):
        Serving.from_json('{"releases": {"a": 1}}')
    with pytest.raises(ValueError, match="Expecting"):
        serving_of({"metadata": {}})


@pytest.mark.parametrize(
    ("frame", "where"),
    [
        (None, "apiVersion, kind"),
        ([], "apiVersion, kind"),
        ({**FRAME, "kind": "TCPRoute"}, "apiVersion, kind"),
        ({**FRAME, "apiVersion": "gateway.networking.k8s.io/v1beta1"}, "apiVersion, kind"),
        ({**FRAME, "spec": {}}, "spec.parentRefs"),
        ({**FRAME, "spec": {**FRAME["spec"], "rules": []}}, "spec.rules"),  # type: ignore[dict-item]
        ({**FRAME, "metadata": {"name": "mine"}}, "metadata.name"),
        ({**FRAME, "metadata": {"namespace": "mine"}}, "metadata.namespace"),
        ({**FRAME, "status": {}}, "status"),
        ({**FRAME, "spec": ["x"]}, "spec"),
    ],
)
def test_a_frame_that_cannot_be_used_is_refused(frame: object, where: str) -> None:
    assert [problem.where for problem in wrong_in_frame(frame)] == [where]


def test_a_frame_with_names_for_hosts_is_taken() -> None:
    assert list(wrong_in_frame({**FRAME, "spec": {**FRAME["spec"], "hostnames": ["a.example"]}})) == []  # type: ignore[dict-item]


@pytest.mark.parametrize("shares", [{A: 99}, {A: 101}, {A: 150, B: -50}])
def test_what_is_no_division_is_refused(shares: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="100"):
        check_division(shares, None, runs={A: 1, B: 1}, names=NAMES)


def test_nothing_is_routed_to_what_does_not_run() -> None:
    with pytest.raises(OutsideError, match="does not run"):
        check_division({A: 100}, None, runs={}, names=NAMES)
    with pytest.raises(OutsideError, match="does not run"):
        check_division({A: 100}, C, runs={A: 1}, names=NAMES)
    with pytest.raises(ValueError, match="shadow"):
        check_division({A: 90, C: 10}, C, runs={A: 1, C: 1}, names=NAMES)
    check_division({}, None, runs={}, names=NAMES)


def test_only_what_the_controller_says_of_this_very_route_counts() -> None:
    def route(seen: int, status: str) -> dict[str, object]:
        condition = {
            "type": "Accepted",
            "status": status,
            "reason": "NotAllowed",
            "message": "no",
            "observedGeneration": seen,
        }
        parents = [{"parentRef": {"name": "models"}, "conditions": [condition]}]
        return {"metadata": {"generation": 3}, "status": {"parents": parents}}

    assert refusals(route(3, "False")) == ("models: Accepted is False (NotAllowed): no",)
    assert refusals(route(2, "False")) == ()
    assert refusals(route(3, "True")) == ()
    assert refusals({}) == ()
    assert is_taken_over(route(3, "True"))
    assert not is_taken_over(route(2, "True"))
    assert not is_taken_over(route(3, "False"))
    assert not is_taken_over({"metadata": {"generation": 1}, "spec": {"parentRefs": [{"name": "models"}]}})


def manifests(**container: object) -> list[dict[str, Any]]:
    name, own = NAMES.service(RELEASE.id), {"name": "scoring", "image": RELEASE.image, "args": ["--a"], **container}
    metadata = {"name": name, "namespace": "n"}
    template = {"spec": {"containers": [own]}}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": template}},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {}},
    ]


def wrong(made: list[dict[str, Any]]) -> list[str]:
    return [str(problem) for problem in wrong_in_release(made, NAMES, RELEASE, str(RELEASE.image), ["--a"])]


def test_a_rendered_release_is_looked_at() -> None:
    assert wrong(manifests()) == []
    assert "args" in wrong(manifests(args=["--b"]))[0]
    assert "image" in wrong(manifests(image="r/late:latest"))[0]
    assert "container scoring" in wrong(manifests(name="other"))[0]
    assert "exactly one" in wrong(manifests()[:1])[0]
    assert "exactly one" in wrong([*manifests(), manifests()[0]])[0]
    without = manifests()
    without[1]["metadata"] = {"name": NAMES.service(RELEASE.id)}
    assert "no namespace" in wrong(without)[0]
    shared = [*manifests(), {"kind": "ConfigMap", "metadata": {"name": "mine", "namespace": "n"}}]
    assert "its own name" in wrong(shared)[0]


def test_ours_is_what_we_have_applied() -> None:
    entry = {"manager": "mlops-ci", "operation": "Apply"}
    assert is_made_by({"metadata": {"managedFields": [entry]}}, "mlops-ci")
    assert not is_made_by({"metadata": {"managedFields": [{**entry, "operation": "Update"}]}}, "mlops-ci")
    assert not is_made_by({"metadata": {"labels": {"app.kubernetes.io/managed-by": "mlops-ci"}}}, "mlops-ci")
    assert kind_of({"apiVersion": "v1", "kind": "Pod"}) == "Pod"
