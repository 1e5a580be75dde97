"""How often two releases' answers differ, and the moments of what lies between them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_ci.core.answers import LARGEST, Moments, Replay, compare_answers, usual_distance
from mlops_ci.core.predictions import Predictions

NAN, INF = float("nan"), float("inf")


def counts(replay: Replay) -> tuple[int, int, int]:
    return replay.rows, replay.failed, replay.differing


def classifier(labels: list[str], scores: list[float]) -> Predictions:
    scored = np.array(scores)
    return Predictions(labels=np.array(labels, dtype=object), probabilities=np.column_stack([1 - scored, scored]))


def test_counts_other_labels_and_answers_that_only_the_new_release_lacks() -> None:
    stable = classifier(["no", "no", "yes", "yes", "no"], [0.1, 0.4, 0.6, 0.9, NAN])
    new = classifier(["no", "yes", "yes", "no", "no"], [0.2, 0.6, NAN, 0.1, 0.3])
    assert counts(compare_answers(stable, new, tolerance=0)) == (4, 1, 2)


def test_counts_values_that_are_further_apart_than_they_used_to_be() -> None:
    stable = Predictions(values=np.arange(100.0))
    evaluated = Predictions(values=np.arange(100.0) + np.linspace(0, 1, 100))
    tolerance = usual_distance(stable, evaluated)
    assert tolerance == pytest.approx(0.95)
    with_gaps = [Predictions(values=np.append(one.scores[:, 0], NAN)) for one in (stable, evaluated)]
    assert usual_distance(*with_gaps) == pytest.approx(0.95)
    assert counts(compare_answers(stable, evaluated, tolerance=tolerance)) == (100, 0, 5)
    live = Predictions(values=np.where(np.arange(100) < 30, 1e6, np.arange(100.0)))
    assert compare_answers(stable, live, tolerance=tolerance).differing == 30
    broken = Predictions(values=np.full(100, INF))
    assert counts(compare_answers(stable, broken, tolerance=tolerance)) == (100, 100, 0)


def test_a_classifier_is_compared_by_its_labels() -> None:
    assert usual_distance(classifier(["no"], [0.1]), classifier(["no"], [0.4])) == 0


def test_answers_to_other_rows_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="stable answered 3 rows and the new release 2"):
        compare_answers(Predictions(values=np.zeros(3)), Predictions(values=np.zeros(2)), tolerance=0)


def test_counts_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="2 rows failed and 2 differ of 3"):
        Replay(rows=3, failed=2, differing=2)
    with pytest.raises(ValueError, match="-1 rows failed"):
        Replay(rows=3, failed=-1, differing=2)


def test_a_number_whose_square_is_infinite_is_no_answer() -> None:
    stable, new = Predictions(values=np.array([1.0, 2.0, 1e300])), Predictions(values=np.array([1.0, -1e200, 3.0]))
    replay = compare_answers(stable, new, tolerance=0)
    assert counts(replay) == (2, 1, 0)
    assert replay.difference == Moments(rows=1, means=(0.0,), squares=(0.0,))


def test_answers_to_no_rows_are_none() -> None:
    nothing = Predictions(values=np.array([]))
    assert compare_answers(nothing, nothing, tolerance=0) == Replay()


ROWS = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), max_size=20)


@settings(deadline=None)
@given(first=ROWS, second=ROWS)
def test_what_is_counted_in_parts_adds_up(first: list[tuple[float, float]], second: list[tuple[float, float]]) -> None:
    def replay(rows: list[tuple[float, float]]) -> Replay:
        stable, new = (Predictions(values=np.array([row[side] for row in rows], dtype=float)) for side in (0, 1))
        return compare_answers(stable, new, tolerance=1.0)

    parts, whole = replay(first) + replay(second), replay(first + second)
    assert counts(parts) == counts(whole)
    for one, other in ((parts.difference, whole.difference), (parts.usual, whole.usual)):
        assert one.rows == other.rows
        assert one.means == pytest.approx(other.means, abs=1e-6)
        assert one.squares == pytest.approx(other.squares, rel=1e-6, abs=1e-3)


def test_the_variance_is_that_of_a_sample() -> None:
    scores = np.random.default_rng(1).normal(5, 2, (40, 2))
    moments = Moments.of(scores)
    assert [moments.variance(column) for column in (0, 1)] == pytest.approx(scores.var(axis=0, ddof=1))
    assert Moments.of(scores[:1]).variance(0) == 0


def test_the_largest_answers_leave_finite_moments() -> None:
    far = Predictions(values=np.array([LARGEST, -LARGEST] * 1000))
    replay = compare_answers(far, Predictions(values=-np.asarray(far.values)), tolerance=0)
    assert np.isfinite([*replay.difference.squares, *replay.usual.squares]).all()
    json.dumps(replay.to_json(), allow_nan=False)


def test_a_replay_is_the_same_after_json() -> None:
    stable, new = classifier(["no", "yes", "no"], [0.1, 0.6, 0.2]), classifier(["no", "no", "no"], [0.3, 0.1, NAN])
    replay = compare_answers(stable, new, tolerance=0)
    assert Replay.from_json(json.loads(json.dumps(replay.to_json()))) == replay
