from __future__ import annotations

import random

import pytest

from mlops_ci.core.observed_division import STEADY, answers_needed, in_force, seen

A, B, C = "a" * 64, "b" * 64, "c" * 64


@pytest.mark.parametrize(
    ("shares", "answers", "agrees"),
    [
        ({A: 100}, [A] * STEADY, True),
        ({A: 100}, [A] * (STEADY - 1), False),
        ({A: 100}, [], False),
        ({A: 100}, [B] * 90 + [A] * STEADY, True),
        ({A: 100}, [A] * 90 + [B], False),
        ({A: 100}, [A] * 90 + [B] + [A] * (STEADY - 1), False),
        ({A: 100}, [A] * 90 + [""], False),
        ({A: 100, B: 0}, [A] * 30 + [B] + [A] * 10, False),
        ({A: 100, B: 0}, [A] * STEADY, True),
        ({A: 99, B: 1}, [A] * 300, False),
        ({A: 99, B: 1}, [B] + [A] * 300, True),
        ({A: 99, B: 1}, [B] + [A] * 5, False),
        ({A: 99, B: 1}, [B] + [""] + [A] * 300, False),
        ({A: 50, B: 50}, [A, B] * STEADY, True),
        ({A: 50, B: 50}, [A, B] * 50 + [C] + [A, B] * 9, False),
        ({}, [A] * 30, False),
    ],
)
def test_a_division_is_in_force_once_the_latest_answers_agree(
    shares: dict[str, int], answers: list[str], agrees: bool
) -> None:
    assert in_force(shares, answers) == agrees


@pytest.mark.parametrize("share", [1, 5, 50, 100])
def test_enough_answers_miss_no_release_by_chance(share: int) -> None:
    needed, luck = answers_needed({A: share, B: 100 - share}), random.Random(7)
    assert needed >= STEADY
    for _ in range(300):
        answers = [A if luck.random() * 100 < share else B for _ in range(needed)]
        assert in_force({A: share, B: 100 - share}, answers)
    assert needed <= 1400


def test_what_was_seen_is_said() -> None:
    assert seen([A, B, A, ""]) == f"of the latest 4 answers 2 by {A[:12]}, 1 by {B[:12]}, 1 by nobody"
    assert seen([B] * 30) == f"of the latest {STEADY} answers {STEADY} by {B[:12]}"
    assert seen([]) == "of the latest 0 answers none came"
