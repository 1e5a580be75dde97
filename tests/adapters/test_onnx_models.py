"""Each estimator that is not made of trees by itself, on flights: two and three classes, numbers, positive numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.cross_decomposition import PLSRegression
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, Matern, WhiteKernel
from sklearn.isotonic import IsotonicRegression
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import (
    ARDRegression,
    BayesianRidge,
    ElasticNet,
    ElasticNetCV,
    GammaRegressor,
    HuberRegressor,
    Lars,
    LarsCV,
    Lasso,
    LassoCV,
    LassoLarsIC,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    OrthogonalMatchingPursuit,
    Perceptron,
    PoissonRegressor,
    QuantileRegressor,
    RANSACRegressor,
    Ridge,
    RidgeClassifier,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
    TheilSenRegressor,
    TweedieRegressor,
)
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR, NuSVC, NuSVR

from mlops_ci.adapters.onnx_graph import Unfaithful
from mlops_ci.adapters.onnx_rules import refusal
from tests.adapters.faithful import answers, asked, assert_same, fitted, rows

COLUMNS = ["distance", "hour", "month", "moment"]
HOLEY = ["dep_delay", "air_time", "distance", "moment"]
BINS = {"encode": "ordinal", "quantile_method": "averaged_inverted_cdf"}


def scaled(estimator: Any) -> Any:
    return make_pipeline(StandardScaler(), estimator)


REGRESSORS = [
    *(LinearRegression(), Ridge(), RidgeCV(), Lasso(), LassoCV(), ElasticNet(), ElasticNetCV(), Lars(), LarsCV()),
    *(LassoLarsIC(), OrthogonalMatchingPursuit(), BayesianRidge(), ARDRegression(), PLSRegression(2)),
    *(TheilSenRegressor(max_subpopulation=50, random_state=0), RANSACRegressor(random_state=0), DummyRegressor()),
    *map(scaled, (HuberRegressor(), QuantileRegressor(alpha=0.1), SGDRegressor(random_state=0), LinearSVR())),
    *map(scaled, (SVR(), NuSVR(), SVR(kernel="poly", degree=2), SVR(kernel="sigmoid"), KernelRidge(kernel="rbf"))),
    SVR(gamma=1e-3),  # of moments in seconds: the product of matrices would lose them
    scaled(MLPRegressor(hidden_layer_sizes=(6, 3), max_iter=15, activation="tanh", random_state=0)),
    scaled(GaussianProcessRegressor(ConstantKernel() * RBF() + WhiteKernel(), optimizer=None, normalize_y=True)),
    scaled(GaussianProcessRegressor(Matern(nu=1.5) + DotProduct(), alpha=0.5, optimizer=None)),
    scaled(GaussianProcessRegressor(Matern(nu=2.5), alpha=0.5, optimizer=None)),
    *(TransformedTargetRegressor(Ridge(), transformer=kind()) for kind in (StandardScaler, MinMaxScaler)),
    VotingRegressor([("a", Ridge()), ("b", scaled(LinearSVR()))], weights=[1, 2]),
    StackingRegressor([("a", Ridge()), ("b", scaled(LinearSVR()))], passthrough=True, cv=2),
    BaggingRegressor(Ridge(), n_estimators=3, max_features=2, random_state=0),
    GridSearchCV(make_pipeline(StandardScaler(), "passthrough", Ridge()), {"ridge__alpha": [1, 10]}, cv=2),
]
POSITIVE = [
    *map(scaled, (PoissonRegressor(), GammaRegressor(), TweedieRegressor(power=1.5), TweedieRegressor(power=0))),
    TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1),
]
SVMS = [SVC(), NuSVC(nu=0.2), SVC(kernel="linear")]
CLASSIFIERS = [
    *map(scaled, (LogisticRegression(), LogisticRegressionCV(cv=2, use_legacy_attributes=False, l1_ratios=(0,)))),
    *(scaled(SGDClassifier(loss=loss, random_state=0)) for loss in ("log_loss", "modified_huber")),
    *(LinearDiscriminantAnalysis(), LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")),
    *(QuadraticDiscriminantAnalysis(reg_param=0.1), GaussianNB(), BernoulliNB(binarize=12.0), DummyClassifier()),
    *(make_pipeline(MinMaxScaler(clip=True), kind()) for kind in (MultinomialNB, ComplementNB)),
    make_pipeline(KBinsDiscretizer(**BINS), CategoricalNB()),
    scaled(MLPClassifier((6,), max_iter=15, random_state=0)),
    *(CalibratedClassifierCV(GaussianNB(), method=method, cv=2) for method in ("sigmoid", "isotonic")),
    *(scaled(CalibratedClassifierCV(LinearSVC(), method=m, cv=2)) for m in ("sigmoid", "isotonic", "temperature")),
    *(scaled(CalibratedClassifierCV(svm, cv=2)) for svm in (SVC(), NuSVC(nu=0.2), SVC(kernel="linear"))),
    *(CalibratedClassifierCV(RidgeClassifier(), ensemble=False), DummyClassifier(strategy="most_frequent")),
    CalibratedClassifierCV(RandomForestClassifier(5, random_state=0), method="isotonic", cv=2),
    CalibratedClassifierCV(HistGradientBoostingClassifier(max_iter=5), method="isotonic", cv=2),
    CalibratedClassifierCV(GradientBoostingClassifier(n_estimators=5), method="isotonic", cv=2),
    CalibratedClassifierCV(LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1), method="isotonic", cv=2),
    VotingClassifier([("a", GaussianNB()), ("b", scaled(LogisticRegression()))], voting="soft", weights=[2, 1]),
    StackingClassifier(
        [("a", GaussianNB()), ("b", scaled(LinearSVC())), ("c", Perceptron())],
        final_estimator=scaled(LogisticRegression()),
        passthrough=True,
        cv=2,
    ),
    BaggingClassifier(LinearDiscriminantAnalysis(), n_estimators=3, max_features=3, random_state=0),
    *(OneVsRestClassifier(GaussianNB()), OneVsRestClassifier(scaled(LogisticRegression()))),
]


def shown(estimator: Any) -> str:
    return " ".join(repr(estimator).split())[:70]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator", REGRESSORS, ids=shown)
def test_regressors(estimator: Any) -> None:
    assert_same("predict", fitted(estimator, COLUMNS, "numbers"), asked(COLUMNS), close=1e-8)


@pytest.mark.parametrize("estimator", POSITIVE, ids=shown)
def test_regressors_of_positive_numbers(estimator: Any) -> None:
    assert_same("predict", fitted(estimator, COLUMNS, "positive numbers"), asked(COLUMNS))


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=shown)
def test_classifiers(estimator: Any, classes: int) -> None:
    """Two classes are numbers, three are texts."""
    assert_same("classify", fitted(clone(estimator), COLUMNS, _classes(classes)), asked(COLUMNS), close=1e-7)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("estimator", [*SVMS, LinearSVC(), RidgeClassifier(), Perceptron()], ids=shown)
def test_decision_functions(estimator: Any, classes: int) -> None:
    # nu-SVM has large weights, which cancel
    made = fitted(scaled(clone(estimator)), COLUMNS, _classes(classes))
    assert_same("decide", made, asked(COLUMNS), close=1e-7)


def test_an_isotonic_regression_alone() -> None:
    made = fitted(IsotonicRegression(out_of_bounds="clip"), ["distance"], "numbers")
    at = made.X_thresholds_
    near = np.concatenate([np.nextafter(at, -np.inf), at, np.nextafter(at, np.inf), [-1e9, 1e9]])
    assert_same("predict", made, pd.DataFrame({"distance": near}))


def test_an_estimator_that_was_fitted_before_is_calibrated() -> None:
    inner = fitted(GaussianNB(), COLUMNS)
    made = fitted(CalibratedClassifierCV(FrozenEstimator(inner), method="isotonic"), COLUMNS)
    assert_same("classify", made, asked(COLUMNS))


def test_a_threshold_that_is_a_value_holds_where_its_last_digit_is_another_one() -> None:
    """Histogram gradient boosting may compare with a value of the training data, here one out of a logarithm."""
    for before in (QuantileTransformer(n_quantiles=99, output_distribution="normal"), PowerTransformer()):
        made = make_pipeline(before, HistGradientBoostingRegressor(max_iter=30, random_state=0))
        asked_too = rows().training[HOLEY]
        assert_same("predict", fitted(made, HOLEY, "numbers"), asked_too, close=1e-12)


def test_a_factor_beside_a_product_stays_double() -> None:
    """The runtime melts it into a MatMul as a float32: 2e-6 of the answer. So a graph has no MatMul."""
    made = fitted(scaled(SVR(kernel="sigmoid", gamma=0.1)), COLUMNS, "numbers")
    assert_same("predict", made, rows().holdout[COLUMNS], close=1e-12)


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_nearest_neighbours_of_numbers_that_are_bounded_and_all_different(weights: str, metric: str) -> None:
    frame = rows().training[["moment", "distance"]]
    frame = frame + np.random.default_rng(0).random(frame.shape)
    before = ColumnTransformer(
        [("a", QuantileTransformer(n_quantiles=99), ["moment"])], remainder=MinMaxScaler(clip=True)
    )
    for what, kind, target in (
        ("predict", KNeighborsRegressor, "numbers"),
        ("classify", KNeighborsClassifier, "two classes"),
    ):
        made = make_pipeline(before, kind(4, weights=weights, metric=metric)).fit(frame, rows().targets[target])
        far = pd.concat([rows().holdout[["moment", "distance"]], frame[:50], frame[:50] * 1e200], ignore_index=True)
        assert_same(what, made, far + 0.1)


@pytest.mark.parametrize(
    ("estimator", "said", "instead"),
    [
        (scaled(KNeighborsClassifier()), "very large", "clip=True"),
        (make_pipeline(MinMaxScaler(clip=True), KNeighborsClassifier()), "equally far from the same row", "trees"),
        (scaled(SVC(probability=True)), "stops", "CalibratedClassifierCV"),
        (scaled(GaussianProcessClassifier(optimizer=None)), "error function", "SVC"),
        (VotingClassifier([("a", GaussianNB())]), "hard", "soft"),
        (RidgeClassifier(), "no probabilities", "CalibratedClassifierCV"),
        (SGDClassifier(), "no probabilities", "CalibratedClassifierCV"),
        (DummyClassifier(strategy="stratified"), "random", "prior"),
        (TunedThresholdClassifierCV(GaussianNB()), "threshold would be lost", "the classifier inside"),
        (BaggingClassifier(LinearSVC(), n_estimators=2), "without probabilities", "classifiers"),
    ],
    ids=lambda value: shown(value) if not isinstance(value, str) else "",
)
def test_classifiers_that_are_refused_with_the_reason(estimator: Any, said: str, instead: str) -> None:
    made = fitted(estimator, ["hour", "month"])
    what, fix = refusal(made) or _unfaithful("classify", made)
    assert said in what
    assert instead in fix


@pytest.mark.parametrize(
    ("estimator", "said"),
    [
        (TransformedTargetRegressor(Ridge(), transformer=QuantileTransformer(n_quantiles=5)), "inverse"),
        (TransformedTargetRegressor(Ridge(), func=np.abs, inverse_func=lambda x: x, check_inverse=False), "Function"),
        (KernelRidge(kernel="laplacian"), "laplacian"),
        (GaussianProcessRegressor(Matern(nu=0.7), alpha=1.0, optimizer=None), "nu"),
        (scaled(KNeighborsRegressor()), "very large"),
    ],
    ids=lambda value: shown(value) if not isinstance(value, str) else "",
)
def test_regressors_that_are_refused_with_the_reason(estimator: Any, said: str) -> None:
    what, fix = _unfaithful("predict", fitted(estimator, ["hour", "month"], "numbers"))
    assert said in what
    assert fix


def _unfaithful(what: Any, estimator: Any) -> tuple[str, str]:
    with pytest.raises(Unfaithful) as refused:
        answers(what, estimator, rows().holdout[["hour", "month"]])
    return str(refused.value), refused.value.instead


def _classes(count: int) -> Any:
    if count == 2:
        return "two classes"
    values = rows().targets["numbers"]
    names = np.array(["early", "late", "on time"], dtype=object)
    return names[np.digitize(values, np.quantile(values, [0.3, 0.7]))]
