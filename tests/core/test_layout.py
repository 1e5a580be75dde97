"""Only names that every store keeps as they are become paths."""

from __future__ import annotations

import pytest

from mlops_ci.core import layout
from mlops_ci.errors import ConfigurationError

DIGEST = "0123456789abcdef" * 4


def test_each_record_has_its_place() -> None:
    assert layout.blob_path(DIGEST) == f"blobs/sha256/01/{DIGEST}"
    assert layout.candidate_path("m", DIGEST) == f"candidates/m/{DIGEST}.json"
    assert layout.release_path(DIGEST) == f"releases/{DIGEST}.json"
    assert layout.look_path(DIGEST, DIGEST) == f"looks/{DIGEST}/{DIGEST}.json"
    assert layout.numbered_path(layout.versions_folder("m"), 3) == "versions/m/3.json"
    assert layout.numbered_path(layout.events_folder("m"), 10) == "events/m/10.json"


@pytest.mark.parametrize("name", ["flight-delay", "a", "A_b.c", "v1.2+3", "_x", "x" * 200, "a@b=c"])
def test_a_name_that_every_store_keeps_is_allowed(name: str) -> None:
    assert layout.checked_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", ".x", "-x", "a/b", "a b", "a\n", "a\0b", "é", "x" * 201, "a#1", "%41"])
def test_every_other_name_is_refused(name: str) -> None:
    for place in (layout.checked_name, layout.events_folder, layout.versions_folder):
        with pytest.raises(ConfigurationError, match="cannot be a name"):
            place(name)
    with pytest.raises(ConfigurationError):
        layout.candidate_path(name, DIGEST)


@pytest.mark.parametrize("digest", ["", DIGEST[:-1], DIGEST + "0", DIGEST.upper(), DIGEST[:-1] + "g", DIGEST + "\n"])
def test_every_other_digest_is_refused(digest: str) -> None:
    assert not layout.is_digest(digest)
    for place in (layout.blob_path, layout.release_path, layout.looks_folder):
        with pytest.raises(ConfigurationError, match="not a digest"):
            place(digest)
    with pytest.raises(ConfigurationError, match="not a digest"):
        layout.look_path(DIGEST, digest)


@pytest.mark.parametrize(
    ("path", "number"),
    [
        *(("events/m/1.json", 1), ("10.json", 10), ("x/0.json", None), ("x/01.json", None), ("x/1.json.tmp", None)),
        *(("x/-1.json", None), ("x/one.json", None), ("x/\u0661.json", None), ("1.json/x", None), ("x/1", None)),
    ],
)
def test_only_the_one_spelling_of_a_number_is_a_number(path: str, number: int | None) -> None:
    assert layout.number_in(path) == number
