"""What skl2onnx converts: a team's own transformers and estimators, and the few of scikit-learn's without a rule."""

from __future__ import annotations

import functools
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import TransformerMixin
from sklearn.cluster import BisectingKMeans, KMeans, MiniBatchKMeans
from sklearn.compose import make_column_transformer
from sklearn.decomposition import FastICA, KernelPCA
from sklearn.ensemble import (
    BaggingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomTreesEmbedding,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsTransformer, NeighborhoodComponentsAnalysis
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MinMaxScaler, Normalizer, OneHotEncoder, StandardScaler
from sklearn.random_projection import GaussianRandomProjection
from sklearn.utils import all_estimators

from mlops_ci.adapters.onnx_graph import REASON_LENGTH, Unfaithful
from mlops_ci.adapters.onnx_rules import find, refusal, rules
from tests.adapters import own_estimators as own
from tests.adapters.exporting import difference, exported
from tests.adapters.exporting import fitted as fitted_to
from tests.adapters.faithful import answers, asked, assert_same, fitted, native, rows
from tests.estimators.cell import Bench
from tests.estimators.data import flights
from tests.estimators.preprocessing import Kind, filled

WHOLE = ["distance", "hour", "month", "moment"]
TEXTS = ["carrier", "origin", "dest"]
MIXED = ["distance", "carrier", "hour", "dest"]

own.register()


def title(value: Any) -> str:
    return " ".join(str(value).split())[:70]


def scaled(transformer: Any) -> Any:
    return make_pipeline(StandardScaler(), transformer)


# scikit-learn's own


@pytest.mark.parametrize(
    "transformer",
    [
        GaussianRandomProjection(3, random_state=0),
        scaled(NeighborhoodComponentsAnalysis(3, random_state=0)),
        *(scaled(KernelPCA(3, kernel=kernel)) for kernel in ("linear", "poly", "rbf", "sigmoid")),
        make_pipeline(MinMaxScaler(clip=True), TfidfTransformer(norm=None)),
        *(scaled(kind(5, random_state=0)) for kind in (KMeans, MiniBatchKMeans, BisectingKMeans)),
    ],
    ids=title,
)
def test_scikit_learns_own_answer_the_same(transformer: Any) -> None:
    made = fitted(transformer, WHOLE)
    assert_same("transform", made, asked(WHOLE))


@pytest.mark.parametrize(
    "numbers",
    [
        lambda: filled(StandardScaler(), GaussianRandomProjection(3, random_state=0)),
        lambda: filled(StandardScaler(), KernelPCA(3, kernel="rbf")),
        lambda: filled(StandardScaler(), KernelPCA(3, kernel="poly")),
        lambda: filled(MinMaxScaler(clip=True), TfidfTransformer(norm=None)),
        lambda: filled(StandardScaler(), KMeans(6, n_init=1, random_state=0)),
        lambda: filled(own.Ranged()),
        lambda: filled(own.Turned()),
    ],
)
@pytest.mark.parametrize("name", ["LogisticRegression", "HistGradientBoostingClassifier", "RandomForestRegressor"])
def test_adversarial_rows_are_answered_the_same(numbers: Any, name: str) -> None:
    cell = bench().cell(name, Kind(numbers=numbers, keeps_missing=False))
    assert cell.verdict == "exact", cell


@functools.cache
def bench() -> Bench:
    return Bench(flights())


def test_a_row_at_a_centre_has_a_distance() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(5, 1, (40, 3)), columns=["a", "b", "c"])
    model = KMeans(40, n_init=1, random_state=0).fit(frame)
    assert_same("transform", model, frame, close=1e-6)  # natively half of the digits are left at a centre


def without_a_rule() -> dict[str, bool]:
    """The classes of scikit-learn that have no rule here: name -> whether skl2onnx has a converter."""
    from skl2onnx._supported_operators import sklearn_operator_name_map

    ruled = {name for rule in rules() for name in rule.classes}
    return {name: kind in sklearn_operator_name_map for name, kind in USABLE if f"sklearn.{name}" not in ruled}


USABLE = [
    (name, kind)
    for name, kind in all_estimators(type_filter=["transformer", "classifier", "regressor"])
    # they predict several targets, encode a target, or take dictionaries, images, or a square of kernels
    if not name.startswith(("Multi", "Label")) and not name.endswith(("Chain", "Canonical"))
    if hasattr(kind, "transform") or not issubclass(kind, TransformerMixin)
    if name not in {"CCA", "DictVectorizer", "KernelCenterer", "PatchExtractor", "SparseCoder"}
]


def test_the_page_names_what_is_measured_and_what_nobody_converts(pytestconfig: pytest.Config) -> None:
    """A newer scikit-learn or skl2onnx may have more, of which nobody knows whether they are converted well."""
    page = (pytestconfig.rootpath / "docs" / "export.md").read_text(encoding="utf-8")
    paragraph = " ".join(page.partition("Of scikit-learn's own ")[2].partition("\n\n")[0].split())
    measured, _, unknown = paragraph.partition(" These have no converter ")
    asked_for = {"KernelPCA", "TfidfTransformer"}  # of these some are refused
    left = without_a_rule()
    for name, converted in left.items():
        assert name.replace("MiniBatch", "") in (measured if converted else unknown), name
    assert {name for name, converted in left.items() if converted} | asked_for == {
        *("GaussianRandomProjection", "NeighborhoodComponentsAnalysis", "KernelPCA", "TfidfTransformer")
    }


@pytest.mark.parametrize(
    ("refused", "instead"),
    [
        (KernelPCA(kernel="cosine"), "Normalizer"),
        (TfidfTransformer(), "Normalizer"),
        (TfidfTransformer(norm=None, sublinear_tf=True), "Normalizer"),
        (KNeighborsTransformer(), "KMeans"),
        (RandomTreesEmbedding(), "KBinsDiscretizer"),
    ],
    ids=title,
)
def test_what_skl2onnx_converts_wrongly_is_refused_by_name(refused: Any, instead: str) -> None:
    what, use = refusal(make_pipeline(refused, Ridge())) or ("", "")
    assert what.startswith(f"{type(refused).__name__}: ")
    assert instead in use


def test_what_is_recommended_for_it_is_exact() -> None:
    recommended = make_pipeline(MinMaxScaler(clip=True), TfidfTransformer(norm=None), Normalizer())
    assert_same("transform", fitted(recommended, WHOLE), asked(WHOLE))
    recommended = make_pipeline(StandardScaler(), Normalizer(), KernelPCA(3, kernel="linear"))
    assert_same("transform", fitted(recommended, WHOLE), asked(WHOLE))


def test_what_nobody_converts_is_refused_in_a_few_words() -> None:
    with pytest.raises(Unfaithful, match=r"^sklearn.FastICA has no converter$") as raised:
        answers("transform", fitted(scaled(FastICA(2, random_state=0)), WHOLE), asked(WHOLE))
    assert "register a converter" in raised.value.instead


# A team's own


@pytest.mark.parametrize(
    ("transformer", "columns"),
    [
        (own.Ranged(), WHOLE),
        (own.RangedOfUnknownWidth(), WHOLE),
        (own.RangedOfWrongWidth(), WHOLE),
        (own.Turned(), WHOLE),
        (own.Looping(), WHOLE),
        (own.Spoken(), TEXTS),
        (own.Summed(), MIXED),
        (make_pipeline(own.Ranged(), StandardScaler(), own.Ranged()), WHOLE),
        (make_union(own.Ranged(), own.Turned(), own.Looping()), WHOLE),
        (
            make_column_transformer(
                (own.Ranged(), ["hour"]),
                (own.RangedOfUnknownWidth(), ["month", "distance"]),
                (make_pipeline(own.Spoken(), OneHotEncoder(handle_unknown="ignore")), TEXTS),
                ("passthrough", ["moment"]),
                sparse_threshold=0,
            ),
            WHOLE + TEXTS,
        ),
    ],
    ids=title,
)
def test_a_transformer_of_a_team_answers_the_same(transformer: Any, columns: list[str]) -> None:
    made = fitted(transformer, columns)
    assert_same("transform", made, asked(columns))


@pytest.mark.parametrize("kind", [own.Halves, own.HalvesWithOptions])
@pytest.mark.parametrize("labels", [[0, 1], [3, 7, 9], ["no", "yes"], ["a", "b", "c"]], ids=title)
def test_a_classifier_of_a_team_answers_the_same(kind: Any, labels: list[Any]) -> None:
    """Its labels too, which are its own affair where there are three classes."""
    target = np.resize(np.array(labels, dtype=object if isinstance(labels[0], str) else np.int64), len(rows().training))
    model = fitted(make_pipeline(own.Ranged(), kind()), WHOLE, target)
    found = answers("classify", model, asked(WHOLE))
    np.testing.assert_allclose(found[0], native("classify", model, asked(WHOLE)), atol=1e-12)
    np.testing.assert_array_equal(model.classes_[found[1]], model.predict(asked(WHOLE)))


@pytest.mark.parametrize(
    ("model", "target"),
    [
        (own.Mean(), "numbers"),
        (BaggingRegressor(own.Mean(), 3, random_state=0), "numbers"),
        (StackingRegressor([("a", own.Mean()), ("b", make_pipeline(own.Ranged(), Ridge()))], cv=2), "numbers"),
        (make_pipeline(own.Ranged(), HistGradientBoostingRegressor(max_iter=10)), "numbers"),
    ],
    ids=title,
)
def test_a_regressor_of_a_team_answers_the_same(model: Any, target: str) -> None:
    assert_same("predict", fitted(model, WHOLE, target), asked(WHOLE))


def test_they_vote_with_others() -> None:
    model = VotingClassifier(
        [("a", own.Halves()), ("b", make_pipeline(own.Ranged(), LogisticRegression()))], voting="soft"
    )
    assert_same("classify", fitted(model, WHOLE), asked(WHOLE))


def test_every_threshold_behind_them_is_where_it_was() -> None:
    """What they give with an exact last digit is compared with the very thresholds."""
    pipeline = make_pipeline(own.Ranged(), HistGradientBoostingClassifier(max_iter=20, random_state=0))
    model = fitted(pipeline, WHOLE)
    training = rows().training[WHOLE]
    assert difference(model, training).largest < 1e-12


def test_a_wrong_converter_gives_wrong_answers_and_no_error() -> None:
    """So it is parity that has to find it."""
    model = fitted(make_pipeline(own.RangedInSinglePrecision(), Ridge(alpha=1e-6)), WHOLE, "numbers")
    assert 1e-9 < difference(model, rows().holdout[WHOLE]).largest < 1e-2


@pytest.mark.parametrize(
    ("model", "what", "instead"),
    [
        (own.Raising(), "tests.Raising raised KeyError: 'no such thing as a table of tariffs and so on", "converter"),
        (own.Foreign(), "tests.Foreign makes is not valid in ONNX 21", "converter"),
        (own.Invalid(), "axes for operator ReduceSum", "converter"),
        (own.Unregistered(), "tests.Unregistered has no converter", "register a converter"),
    ],
    ids=title,
)
def test_a_converter_that_fails_is_named_with_what_it_said(model: Any, what: str, instead: str) -> None:
    with pytest.raises(Unfaithful) as raised:
        answers("transform", fitted(model, WHOLE), asked(WHOLE))
    assert what in str(raised.value)
    assert instead in raised.value.instead
    assert len(str(raised.value)) < REASON_LENGTH + 150


def test_trees_of_the_old_operators_are_refused() -> None:
    with pytest.raises(Unfaithful, match=r"tests.OfTrees makes TreeEnsembleRegressor, which adds up in float32"):
        answers("predict", fitted(own.OfTrees(), WHOLE, "numbers"), asked(WHOLE))


def test_a_rule_of_ours_and_a_refusal_come_first() -> None:
    """Whatever a team has registered for these classes."""
    for asking, estimator, module in (
        ("transform", StandardScaler(), "onnx_scaling"),
        ("classify", LogisticRegression(), "onnx_linear"),
        ("transform", own.Ranged(), "onnx_fallback"),
    ):
        rule = find(asking, estimator)
        assert rule is not None
        assert rule.__module__ == f"mlops_ci.adapters.{module}"
    assert find("transform", Ridge()) is None, "a class that has rules is not asked of skl2onnx for anything else"
    assert refusal(make_pipeline(own.Ranged(), KNNImputer(), Ridge())) is not None


SEVERAL_EXPORTS = """
import hashlib, sys
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from tests.adapters.exporting import exported, fitted, two_classes
def export(*steps):
    return hashlib.sha256(exported(fitted(make_pipeline(*steps), two_classes()), two_classes()[0])[0]).hexdigest()
print(export(StandardScaler(), HistGradientBoostingClassifier(max_iter=3)), "skl2onnx" in sys.modules)
from tests.adapters import own_estimators as own
own.register()
union = make_union(own.Ranged(), own.Looping(), own.Turned())
print(export(union, LogisticRegression(max_iter=1000)), "skl2onnx" in sys.modules)
print(export(union, own.Halves()), "skl2onnx" in sys.modules)
"""


def test_the_bytes_do_not_depend_on_the_process_and_skl2onnx_is_imported_where_it_is_needed(
    pytestconfig: pytest.Config,
) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", SEVERAL_EXPORTS],
            cwd=pytestconfig.rootpath,
            env={"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    first, second = (child.communicate()[0].split() for child in children)
    assert [child.returncode for child in children] == [0, 0]
    assert first == second
    assert first[1::2] == ["False", "True", "True"]


def test_no_name_of_a_converter_is_that_of_a_column() -> None:
    """skl2onnx calls its tensors `X0`, `variable`, `label`; so may a team its columns."""
    frame = rows().training[WHOLE].set_axis(["X0", "variable", "/label", "X0/variable"], axis=1)
    model = fitted_to(make_pipeline(own.Ranged(), own.Halves()), (frame, rows().targets["two classes"]))
    assert difference(model, frame).largest == 0
    assert exported(model, frame)[0] == exported(model, frame)[0]
