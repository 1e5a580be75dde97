"""The columns of the table: what is done to the numbers and to the texts before an estimator is given them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.impute import KNNImputer, SimpleImputer
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

from tests.estimators.data import Rows

Make = Callable[[], Any]


def one_hot() -> Any:
    return OneHotEncoder(handle_unknown="ignore", sparse_output=False)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """`keeps_missing`: missing numbers reach the estimator, unless it takes none: then they are filled in first."""

    numbers: Make = lambda: "passthrough"
    texts: Make = one_hot
    keeps_missing: bool = True

    def transformer(self, rows: Rows, *, filled: bool) -> Any:
        """Unfitted. `filled`: missing numbers are replaced by the median before."""
        numbers = self.numbers()
        if filled and self.keeps_missing:
            numbers = make_pipeline(SimpleImputer(strategy="median"), numbers)
        return ColumnTransformer(
            [("numbers", numbers, rows.numbers), ("texts", self.texts(), rows.texts)], sparse_threshold=0
        )


def filled(*steps: Any) -> Any:
    return make_pipeline(SimpleImputer(strategy="median"), *steps)


NUMBERS: dict[str, Kind] = {
    "as they are": Kind(),
    "StandardScaler": Kind(numbers=StandardScaler),
    "MinMaxScaler (clip)": Kind(numbers=lambda: MinMaxScaler(clip=True)),
    "MaxAbsScaler": Kind(numbers=MaxAbsScaler),
    "RobustScaler": Kind(numbers=RobustScaler),
    "Power-Transformer": Kind(numbers=PowerTransformer),
    "Quantile-Transformer": Kind(numbers=lambda: QuantileTransformer(n_quantiles=200, output_distribution="normal")),
    "Normalizer (scaled)": Kind(numbers=lambda: filled(StandardScaler(), Normalizer()), keeps_missing=False),
    "KBins-Discretizer": Kind(
        numbers=lambda: filled(KBinsDiscretizer(encode="onehot-dense", quantile_method="averaged_inverted_cdf")),
        keeps_missing=False,
    ),
    "Binarizer": Kind(numbers=lambda: filled(StandardScaler(), Binarizer()), keeps_missing=False),
}
MORE_NUMBERS: dict[str, Kind] = {
    "Polynomial-Features": Kind(numbers=lambda: filled(StandardScaler(), PolynomialFeatures(2)), keeps_missing=False),
    "Spline-Transformer": Kind(numbers=lambda: SplineTransformer(n_knots=4, handle_missing="zeros")),
    "Function-Transformer (log1p)": Kind(
        numbers=lambda: make_pipeline(MinMaxScaler(clip=True), FunctionTransformer(np.log1p))
    ),
    "PCA": Kind(numbers=lambda: filled(StandardScaler(), PCA(4)), keeps_missing=False),
    "TruncatedSVD": Kind(numbers=lambda: filled(MaxAbsScaler(), TruncatedSVD(3, random_state=0)), keeps_missing=False),
    "SelectKBest": Kind(numbers=lambda: filled(SelectKBest(f_classif, k=3)), keeps_missing=False),
    "FeatureUnion": Kind(numbers=lambda: make_union(StandardScaler(), QuantileTransformer(n_quantiles=50))),
    "SimpleImputer (add_indicator)": Kind(
        numbers=lambda: SimpleImputer(strategy="mean", add_indicator=True), keeps_missing=False
    ),
    "KNNImputer": Kind(numbers=lambda: KNNImputer(n_neighbors=2), keeps_missing=False),
}
TEXTS: dict[str, Kind] = {
    "OneHotEncoder (ignore)": Kind(numbers=StandardScaler),
    "OneHotEncoder (infrequent)": Kind(
        numbers=StandardScaler,
        texts=lambda: OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=30, sparse_output=False),
    ),
    "OneHotEncoder (drop)": Kind(
        texts=lambda: OneHotEncoder(handle_unknown="ignore", drop="first", sparse_output=False)
    ),
    "OrdinalEncoder": Kind(texts=lambda: OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)),
    "TargetEncoder": Kind(texts=lambda: TargetEncoder(random_state=0)),
    "SimpleImputer of texts": Kind(
        texts=lambda: make_pipeline(SimpleImputer(missing_values="", strategy="most_frequent"), one_hot())
    ),
}
PREPROCESSING: dict[str, dict[str, Kind]] = {
    "Numbers; texts by OneHotEncoder(handle_unknown='ignore')": NUMBERS,
    "More for numbers": MORE_NUMBERS,
    "Texts; numbers as they are, or scaled": TEXTS,
}
