from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from mlops_ci.core.predictions import Predictions
from mlops_ci.errors import IntegrityError
from mlops_ci.pipeline.reference import decode, encode

BINARY = Predictions(labels=np.array([0, 1, 1]), probabilities=np.array([[0.9, 0.1], [0.25, 0.75], [0.5, 0.5]]))
TEXTS = Predictions(labels=np.array(["é", "a longer one"], dtype=object), probabilities=np.eye(2))
VALUES = Predictions(values=np.array([1.5, -2.25, 1e300]))


@pytest.mark.parametrize("predictions", [BINARY, TEXTS, VALUES], ids=["integers", "texts", "values"])
def test_what_is_kept_comes_back(predictions: Predictions) -> None:
    back = decode(encode(predictions))
    for name in ("labels", "probabilities", "values"):
        ours, theirs = getattr(predictions, name), getattr(back, name)
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert ours.dtype == theirs.dtype
            assert ours.tolist() == theirs.tolist()


def test_the_same_answers_are_the_same_bytes_at_any_time() -> None:
    assert encode(BINARY) == encode(decode(encode(BINARY)))


class Planted:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("planted"),)


def test_a_planted_object_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Planted()))
    assert (tmp_path / "planted").exists(), "else this test says nothing"
    (tmp_path / "planted").unlink()
    archive = io.BytesIO()
    np.savez(archive, labels=np.array([Planted()], dtype=object))
    with pytest.raises(IntegrityError):
        decode(archive.getvalue())
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 broken", encode(BINARY)[:-30], b"\x93NUMPY"])
def test_bytes_that_are_something_else_are_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        decode(data)


def test_other_arrays_are_refused() -> None:
    archive = io.BytesIO()
    np.savez(archive, something=np.zeros(3))
    with pytest.raises(IntegrityError, match="something"):
        decode(archive.getvalue())
