"""Which models a change touches: one literal table, and what holds for every change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_ci.core.plan import MOST_JOBS, Reach, matrix, touched

ROOT = Reach(model="root", folder="")
A = Reach(model="a", folder="models/a")
B = Reach(model="b", folder="models/b", patterns=("libs/**", "/data/b.parquet", "/data/b.parquet.dvc"))
C = Reach(model="c", folder="models/c", patterns=("libs/text/",))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ([], []),
        (["models/a/train.py"], ["a"]),
        (["models/a/deep/er/x.py"], ["a"]),
        (["models/ab/train.py"], []),  # a folder whose name only begins alike
        (["models/d/train.py"], []),  # a model that is gone
        (["libs/numbers.py"], ["b"]),
        (["libs/text/words.py"], ["b", "c"]),
        (["libs/texts/words.py"], ["b"]),
        (["data/b.parquet.dvc"], ["b"]),
        (["old/data/b.parquet"], []),
        (["environments/production/a.yaml"], []),  # says what serves, and trains nothing
        (["README.md", "docs/a.py", ".github/workflows/x.yml", "infra/main.tf"], []),
        (["models/a/README.md"], []),
        (["models/a/docs/table.csv"], ["a"]),
        (["requirements.txt"], ["a", "b", "c"]),
        (["pyproject.toml"], ["a", "b", "c"]),
        (["models/c/requirements.txt"], ["c"]),
        (["models/c/x.py", "models/a/y.py"], ["a", "c"]),
    ],
)
def test_a_change_touches_what_it_may_make_anew(changed: list[str], expected: list[str]) -> None:
    assert list(touched(changed, [A, B, C])) == expected


def test_a_model_at_the_root_has_all_that_is_no_other_model() -> None:
    assert list(touched(["train.py"], [ROOT, A])) == ["root"]
    assert list(touched(["models/a/train.py"], [ROOT, A])) == ["a"]
    assert touched(["data/x.csv", "environments/qa/root.yaml"], [ROOT]) == {"root": "data/x.csv"}


def test_each_model_is_given_with_a_file_that_touches_it() -> None:
    assert touched(["models/b/z.py", "libs/a.py", "models/b/a.py"], [A, B]) == {"b": "models/b/a.py"}


names = st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), unique=True, max_size=700)


@given(models=names, most=st.integers(1, MOST_JOBS))
def test_a_matrix_has_each_model_once_and_no_more_jobs_than_allowed(models: list[str], most: int) -> None:
    jobs = matrix(models, most=most)["include"]
    assert len(jobs) == min(most, len(models))
    assert " ".join(job["models"] for job in jobs).split() == models
    sizes = {len(job["models"].split()) for job in jobs}
    assert not sizes or max(sizes) - min(sizes) <= 1
    assert len({job["name"] for job in jobs}) == len(jobs)


def test_a_matrix_of_no_jobs_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="0 jobs"):
        matrix(["a"], most=0)
