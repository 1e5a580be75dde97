"""Each transformer by itself, on flights with missing values, values never seen, and moments in seconds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectFromModel, SelectKBest, VarianceThreshold
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)

from mlops_ci.adapters.onnx_graph import Unfaithful
from tests.adapters.faithful import answers, asked, assert_same, fitted, rows

HOLEY = ["dep_delay", "air_time", "distance", "moment"]
WHOLE = ["distance", "hour", "month", "moment"]
TEXTS = ["carrier", "origin", "dest"]
BINS = {"quantile_method": "averaged_inverted_cdf"}


@pytest.mark.parametrize(
    "transformer",
    [
        *(StandardScaler(), StandardScaler(with_mean=False), StandardScaler(with_std=False)),
        *(
            RobustScaler(),
            RobustScaler(with_centering=False, unit_variance=True),
            MaxAbsScaler(),
            MaxAbsScaler(clip=True),
        ),
        *(MinMaxScaler(), MinMaxScaler((-2, 3), clip=True), PowerTransformer(), PowerTransformer(standardize=False)),
        *(QuantileTransformer(n_quantiles=1000), QuantileTransformer(n_quantiles=50, output_distribution="normal")),
        *(
            SimpleImputer(),
            SimpleImputer(strategy="most_frequent"),
            SimpleImputer(strategy="constant", fill_value=-7.5),
        ),
        *(SimpleImputer(add_indicator=True), MissingIndicator(features="all")),
        SplineTransformer(handle_missing="zeros"),
        SplineTransformer(4, degree=2, knots="quantile", extrapolation="linear", handle_missing="zeros"),
        SplineTransformer(extrapolation="continue", include_bias=False, handle_missing="zeros"),
        SplineTransformer(extrapolation="periodic", handle_missing="zeros"),
        FunctionTransformer(np.abs),
        make_union(StandardScaler(), SimpleImputer(), "passthrough"),
    ],
    ids=str,
)
def test_numbers_with_missing_ones(transformer: Any) -> None:
    assert_same("transform", fitted(transformer, HOLEY), asked(HOLEY))


@pytest.mark.parametrize(
    "transformer",
    [
        *(Normalizer(), Normalizer(norm="l1"), Normalizer(norm="max"), Binarizer(threshold=719.0)),
        *(KBinsDiscretizer(7, **BINS), KBinsDiscretizer(encode="ordinal", strategy="kmeans")),
        *(KBinsDiscretizer(encode="onehot-dense", strategy="uniform"), PolynomialFeatures(3)),
        *(PolynomialFeatures(2, interaction_only=True, include_bias=False), PolynomialFeatures((2, 3))),
        *(
            PCA(2),
            PCA(3, whiten=True),
            IncrementalPCA(2),
            TruncatedSVD(2, random_state=0),
            LinearDiscriminantAnalysis(),
        ),
        *(SelectKBest(k=2), VarianceThreshold(20.0), SelectFromModel(make_pipeline(LogisticRegression()).steps[0][1])),
    ],
    ids=str,
)
def test_numbers(transformer: Any) -> None:
    assert_same("transform", fitted(transformer, WHOLE), asked(WHOLE))


@pytest.mark.parametrize(
    "function",
    [np.log, np.log1p, np.log2, np.log10, np.sqrt, np.cbrt, np.square, np.reciprocal, np.sign, np.floor, np.ceil],
)
def test_numpy_functions(function: Any) -> None:
    frame = asked(WHOLE).clip(lower=1e-9)
    assert_same("transform", FunctionTransformer(function).fit(frame), frame)


@pytest.mark.parametrize("function", [np.exp, np.exp2, np.expm1, np.log1p, np.tanh, np.negative])
def test_numpy_functions_of_small_numbers(function: Any) -> None:
    tiny = pd.DataFrame({"x": [-0.9, -1e-3, -1e-9, -1e-18, 0.0, 1e-300, 1e-17, 1e-9, 1e-4, 0.5, 1.0, 2.5, 30.0]})
    assert_same("transform", FunctionTransformer(function).fit(tiny), tiny, close=1e-15)


def test_a_power_that_leaves_few_digits_leaves_the_same_ones() -> None:
    """Moments of one year differ by 2 %: what Yeo-Johnson leaves of them is a few hundred steps of the last digit."""
    transformer = fitted(PowerTransformer(standardize=False), ["moment"])
    transformer.lambdas_[:] = -1.67
    frame = asked(["moment"])
    found, expected = answers("transform", transformer, frame)[0], transformer.transform(frame)
    assert len(np.unique(expected)) < 300
    assert (found == expected).all()


def test_box_cox() -> None:
    assert_same("transform", fitted(PowerTransformer(method="box-cox"), ["distance"]), rows().holdout[["distance"]])


@pytest.mark.parametrize(
    ("transformer", "edges"),
    [
        (KBinsDiscretizer(9, encode="ordinal", **BINS), lambda made: made.bin_edges_[0]),
        (QuantileTransformer(n_quantiles=9), lambda made: made.quantiles_[:, 0]),
        (SplineTransformer(9, extrapolation="linear"), lambda made: made.bsplines_[0].t),
    ],
    ids=["bins", "quantiles", "splines"],
)
def test_values_on_the_edges_of_bins_and_steps(transformer: Any, edges: Any) -> None:
    """One float to the left of an edge, on it, one to the right."""
    at = edges(transformer.fit(rows().training[["moment", "distance"]]))
    near = np.concatenate([np.nextafter(at, -np.inf), at, np.nextafter(at, np.inf)])
    assert_same("transform", transformer, pd.DataFrame({"moment": near, "distance": 700.0}))


@pytest.mark.parametrize(
    "encoder",
    [
        *(OneHotEncoder(handle_unknown="ignore"), OneHotEncoder(handle_unknown="ignore", sparse_output=False)),
        *(
            OneHotEncoder(handle_unknown="ignore", drop="first"),
            OneHotEncoder(handle_unknown="ignore", drop="if_binary"),
        ),
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=40),
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=40, drop="first"),
        *(
            OneHotEncoder(handle_unknown="warn", max_categories=5),
            OneHotEncoder(handle_unknown="ignore", max_categories=4),
        ),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, min_frequency=30),
        *(TargetEncoder(), TargetEncoder(smooth=0.0)),
        make_pipeline(
            SimpleImputer(missing_values="", strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
        ),
        SimpleImputer(missing_values="", strategy="constant", fill_value="?"),
        SimpleImputer(strategy="most_frequent"),
        MissingIndicator(missing_values="", features="all"),
    ],
    ids=str,
)
def test_texts_with_categories_never_seen(encoder: Any) -> None:
    assert_same("transform", fitted(encoder, TEXTS), asked(TEXTS))


@pytest.mark.parametrize("target", ["numbers", "three classes"])
def test_target_encoding_of_numbers_and_of_several_classes(target: str) -> None:
    values = rows().targets["numbers"]
    encoder = TargetEncoder(target_type="multiclass" if target == "three classes" else "continuous")
    classes = np.digitize(values, np.quantile(values, [0.3, 0.7]))
    assert_same("transform", fitted(encoder, TEXTS, classes if target == "three classes" else "numbers"), asked(TEXTS))


@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(handle_unknown="ignore"),
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=100),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2),
        TargetEncoder(),
    ],
    ids=str,
)
def test_numeric_categories_are_told_apart_in_double(encoder: Any) -> None:
    """In float32 16777216 and 16777217 are one; 0.1 is no whole number; a missing one is a category of its own."""
    chosen = np.random.default_rng(0).choice([16777216.0, 16777217.0, 0.1, -0.0, np.nan], len(rows().training))
    frame = pd.DataFrame({"large": chosen, "few": np.arange(len(chosen)) % 3.0})
    encoder.fit(frame, rows().targets["two classes"])
    strange = pd.DataFrame({"large": [16777218.0, 0.1000001, 0.0, -1e300, np.nan], "few": [0.0, 1.5, np.nan, 7.0, 2.0]})
    assert_same("transform", encoder, pd.concat([frame[:200], strange], ignore_index=True))


@pytest.mark.parametrize("encoder", [OneHotEncoder(), OrdinalEncoder()], ids=str)
def test_where_a_category_never_seen_is_an_error_natively_it_is_one_in_the_graph(encoder: Any) -> None:
    frame = rows().training[["carrier"]]
    encoder.fit(frame)
    assert_same("transform", encoder, frame)
    with pytest.raises(Exception, match=r"out of (data )?bounds"):
        answers("transform", encoder, pd.DataFrame({"carrier": ["never seen"]}, dtype=object))


def test_columns_keep_their_order_their_type_and_their_weight() -> None:
    transformer = ColumnTransformer(
        [
            ("some", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["air_time", "dep_delay"]),
            ("texts", OneHotEncoder(handle_unknown="ignore"), ["dest"]),
            ("by position", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), [6]),
            ("none", StandardScaler(), []),
            ("out", "drop", ["month"]),
            ("chosen", FunctionTransformer(np.square), make_column_selector(pattern="hour")),
            ("texts again", TargetEncoder(), ["origin"]),
        ],
        remainder="passthrough",
        transformer_weights={"some": 2.5},
    )
    columns = [*rows().numbers, *rows().texts]
    assert_same("transform", fitted(transformer, columns), asked(columns))


def test_a_column_that_was_empty_in_training() -> None:
    frame = rows().training[["distance"]].assign(empty=np.nan)
    for keep in (True, False):
        imputer = SimpleImputer(keep_empty_features=keep, add_indicator=True).fit(frame)
        assert_same("transform", imputer, frame)


@pytest.mark.parametrize(
    ("transformer", "columns", "said"),
    [
        (FunctionTransformer(lambda x: x * 2), WHOLE, "FunctionTransformer"),
        (FunctionTransformer(np.clip, kw_args={"a_min": 0, "a_max": 1}), WHOLE, "numpy.clip"),
        (SplineTransformer(extrapolation="error"), WHOLE, "extrapolation='error'"),
        (SplineTransformer(degree=1, extrapolation="linear"), WHOLE, "degree=1"),
        (MissingIndicator(features="all"), TEXTS, "missing_values="),
        (make_pipeline(OneHotEncoder(), StandardScaler(with_mean=False)), TEXTS, ""),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_what_cannot_be_kept_is_refused_with_what_to_use(transformer: Any, columns: list[str], said: str) -> None:
    made = fitted(transformer, columns)
    if not said:
        assert_same("transform", made, rows().training[columns])
        return
    with pytest.raises(Unfaithful, match=said) as refused:
        answers("transform", made, asked(columns))
    assert refused.value.instead


def test_texts_do_not_reach_a_step_that_computes() -> None:
    scaler = StandardScaler().fit(rows().training[WHOLE])
    with pytest.raises(Unfaithful, match="texts reach"):
        answers("transform", scaler, rows().training[[*TEXTS, "hour"]])
