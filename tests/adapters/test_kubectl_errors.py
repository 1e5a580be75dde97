"""What kubectl said to us, word for word, and whose fault that is."""

from __future__ import annotations

import pytest

from mlops_ci.adapters.kubectl_errors import PASSING, named
from mlops_ci.errors import ConfigurationError, OutsideError

LOGGED = (
    'E1121 19:38:29.916140    1033 memcache.go:265] "Unhandled Error" err="couldn\'t get current server API group"\n'
)
REFUSED = f"{LOGGED}The connection to the server 127.0.0.1:9 was refused - did you specify the right host or port?\n"
NO_KIND = (
    'error: resource mapping not found for name: "x" namespace: "" from "STDIN": no matches for kind "HTTPRoute" in '
    'version "gateway.networking.k8s.io/v1"\nensure CRDs are installed first'
)
NOT_SIGNED_IN = (
    "error: You must be logged in to the server (the server has asked for the client to provide credentials)"
)
CONFIGURATION = [
    ('Error from server (NotFound): namespaces "nope" not found\n' * 3, "has no namespace nope"),
    (NO_KIND, "does not know the kind HTTPRoute"),
    ('error: the server doesn\'t have a resource type "httproutes"', "does not know the kind httproutes"),
    (LOGGED + NOT_SIGNED_IN, "credentials"),
    ('Error from server (Forbidden): services "x" is forbidden: User "ada" cannot patch resource', "does not let us"),
    ('error: context "mine" does not exist', "knows no context mine"),
    ('The Deployment "x" is invalid: spec.selector: Invalid value: field is immutable', "refuses what the overlay"),
    ('Error from server (BadRequest): strict decoding error: unknown field "spec.replica"', "refuses what the overlay"),
    ("The connection to the server localhost:8080 was refused - did you specify the right host?", "told of a cluster"),
]
PASSES = [
    REFUSED,
    "Unable to connect to the server: net/http: TLS handshake timeout",
    "Error from server (InternalError): an error on the server",
    "Error from server (TooManyRequests): the server has received too many requests",
    "Error from server (Expired): the provided continue parameter is too old",
    "Unable to connect to the server: EOF",
    "error: http2: client connection lost",
]


@pytest.mark.parametrize(("words", "meaning"), CONFIGURATION)
def test_what_people_have_to_change_is_configuration(words: str, meaning: str) -> None:
    error = named("applying", words)
    assert isinstance(error, ConfigurationError)
    assert meaning in error.what
    assert error.fix


@pytest.mark.parametrize("words", PASSES)
def test_what_may_pass_is_tried_again_and_then_told(words: str) -> None:
    assert PASSING.search(words)
    error = named("applying", words)
    assert isinstance(error, OutsideError)
    assert error.fix
    assert "memcache.go" not in error.what


def test_what_nobody_knows_is_told_as_it_is() -> None:
    assert named("applying", "something new\n  entirely").what == "applying: something new entirely"
    assert named("applying", "").what == "applying: kubectl said nothing"
