from __future__ import annotations

import numpy as np

from mlops_ci.core.suspects import suspects

RANDOM = np.random.default_rng(3)
ROWS = 2_000
COLUMNS = {
    "noise": RANDOM.normal(size=ROWS),
    "holes": np.where(RANDOM.random(ROWS) < 0.1, np.nan, RANDOM.normal(size=ROWS)),
    "large": RANDOM.lognormal(size=ROWS),
    "word": RANDOM.choice(["a", "b", "c"], ROWS).astype(object),
}


def test_columns_that_were_changed_come_in_the_order_of_their_number() -> None:
    made = [("a",), ("b",), ("b",), ("a", "b", "c")]
    assert suspects(made, {}, np.zeros(0, dtype=np.bool_)) == ("b", "a")


def test_where_only_all_columns_together_offend_all_are_named() -> None:
    assert suspects([("a", "b")], COLUMNS, np.zeros(ROWS, dtype=np.bool_)) == ("a", "b")


def test_the_columns_on_which_the_rows_of_the_holdout_are_unlike_the_others() -> None:
    nothing: list[tuple[str, ...]] = []
    assert suspects(nothing, COLUMNS, np.isnan(COLUMNS["holes"])) == ("holes",)
    assert suspects(nothing, COLUMNS, COLUMNS["word"] == "b") == ("word",)
    assert suspects(nothing, COLUMNS, COLUMNS["large"] > 3) == ("large",)
    both = (COLUMNS["large"] > 1) & (COLUMNS["word"] == "b")
    assert suspects(nothing, COLUMNS, both) == ("word", "large")
    assert suspects([("large",)], COLUMNS, both) == ("large", "word")


def test_chance_and_few_rows_name_no_column() -> None:
    named = sum(bool(suspects([], COLUMNS, np.random.default_rng(seed).random(ROWS) < 0.05)) for seed in range(100))
    assert named <= 4
    assert suspects([], COLUMNS, np.arange(ROWS) < 2) == ()
    assert suspects([], COLUMNS, np.zeros(ROWS, dtype=np.bool_)) == ()
    assert suspects([], COLUMNS, np.ones(ROWS, dtype=np.bool_)) == ()
