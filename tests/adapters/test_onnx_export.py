"""The graphs are run by the runtime that serves them, and compared with the estimators that they were made of."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import (
    BayesianRidge,
    GammaRegressor,
    HuberRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from mlops_ci.adapters.onnx_export import SklearnExporter
from mlops_ci.core.parity import Parity, compare
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Column, Signature, Task
from mlops_ci.errors import ParityError
from mlops_ci.scoring.model import OnnxRuntime

Make = Callable[[], Any]

CLASSIFIERS: dict[str, Make] = {
    "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "logistic-bare": lambda: LogisticRegression(solver="newton-cholesky"),
    "histogram-boosting": lambda: HistGradientBoostingClassifier(max_iter=20, random_state=0),
    "histogram-boosting-scaled": lambda: make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=20)),
    "forest": lambda: RandomForestClassifier(20, random_state=0),
    "forest-scaled": lambda: make_pipeline(StandardScaler(), RandomForestClassifier(20, random_state=0)),
    "extra-trees": lambda: make_pipeline(RobustScaler(), ExtraTreesClassifier(20, random_state=0)),
    "boosting": lambda: make_pipeline(MinMaxScaler(), GradientBoostingClassifier(n_estimators=10, random_state=0)),
    "tree": lambda: DecisionTreeClassifier(max_depth=5, random_state=0),
    "svc": lambda: make_pipeline(StandardScaler(), CalibratedClassifierCV(SVC(), ensemble=False)),
    "mlp": lambda: make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=400, random_state=0)),
    "neighbours": lambda: make_pipeline(MinMaxScaler(clip=True), KNeighborsClassifier()),
    "bayes": lambda: make_pipeline(StandardScaler(), GaussianNB()),
    "adaboost": lambda: AdaBoostClassifier(n_estimators=10, random_state=0),
    "bagging": lambda: make_pipeline(StandardScaler(), BaggingClassifier(n_estimators=5, random_state=0)),
    "calibrated-forest": lambda: CalibratedClassifierCV(RandomForestClassifier(10, random_state=0), cv=3),
    "voting": lambda: VotingClassifier(
        [("a", GaussianNB()), ("b", make_pipeline(StandardScaler(), LogisticRegression()))],
        voting="soft",
    ),
    "selected": lambda: make_pipeline(
        VarianceThreshold(),
        SelectKBest(k=5),
        StandardScaler(),
        PolynomialFeatures(2, include_bias=False),
        LogisticRegression(C=0.01, max_iter=500),
    ),
    "stacking": lambda: StackingClassifier(
        [("a", GaussianNB()), ("b", RandomForestClassifier(5, random_state=0))], cv=2
    ),
    "stochastic": lambda: make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", random_state=0)),
    "discriminant": LinearDiscriminantAnalysis,
    "isotonic": lambda: CalibratedClassifierCV(RandomForestClassifier(10, random_state=0), method="isotonic", cv=3),
    "bins": lambda: make_pipeline(KBinsDiscretizer(4, quantile_method="averaged_inverted_cdf"), LogisticRegression()),
    "splines": lambda: make_pipeline(SplineTransformer(n_knots=3), LogisticRegression(C=0.01)),
    "quadratic": lambda: make_pipeline(PCA(3), QuadraticDiscriminantAnalysis()),
    "components": lambda: make_pipeline(StandardScaler(), PCA(5), LogisticRegression()),
    "union": lambda: make_pipeline(make_union(StandardScaler(), MinMaxScaler()), LogisticRegression()),
    "quantiles": lambda: make_pipeline(QuantileTransformer(n_quantiles=50), LogisticRegression()),
    "normalized": lambda: make_pipeline(Normalizer(), LogisticRegression()),
    "search": lambda: GridSearchCV(make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0)), {}, cv=2),
    "nested": lambda: make_pipeline(
        make_pipeline(StandardScaler(), "passthrough"), make_pipeline(MinMaxScaler(), LogisticRegression())
    ),
}
REGRESSORS: dict[str, Make] = {
    "linear": LinearRegression,
    "ridge": lambda: make_pipeline(StandardScaler(), Ridge()),
    "poisson": lambda: make_pipeline(StandardScaler(), PoissonRegressor()),
    "gamma": lambda: make_pipeline(StandardScaler(), GammaRegressor()),
    "huber": lambda: HuberRegressor(max_iter=1000),
    "quantile": lambda: QuantileRegressor(alpha=0),
    "bayesian-ridge": BayesianRidge,
    "voting": lambda: VotingRegressor([("a", Ridge()), ("b", RandomForestRegressor(5, random_state=0))]),
    "adaboost": lambda: AdaBoostRegressor(n_estimators=5, random_state=0),
    "bagging": lambda: BaggingRegressor(n_estimators=5, random_state=0),
    "histogram-boosting": lambda: make_pipeline(
        StandardScaler(), HistGradientBoostingRegressor(max_iter=20, random_state=0)
    ),
    "forest": lambda: make_pipeline(StandardScaler(), RandomForestRegressor(20, random_state=0)),
    "extra-trees": lambda: ExtraTreesRegressor(20, random_state=0),
    "boosting": lambda: GradientBoostingRegressor(n_estimators=20, random_state=0),
    "tree": lambda: make_pipeline(StandardScaler(), DecisionTreeRegressor(max_depth=6, random_state=0)),
    "svr": lambda: make_pipeline(StandardScaler(), SVR(C=10.0)),
    "mlp": lambda: make_pipeline(
        StandardScaler(), MLPRegressor(hidden_layer_sizes=(8,), max_iter=50, solver="lbfgs", random_state=0)
    ),
    "neighbours": lambda: make_pipeline(MinMaxScaler(clip=True), KNeighborsRegressor()),
}


def breast_cancer() -> tuple[pd.DataFrame, Any]:
    data = load_breast_cancer(as_frame=True)
    return data.data.astype(float), data.target.to_numpy(np.int64)


def wine() -> tuple[pd.DataFrame, Any]:
    data = load_wine(as_frame=True)
    return data.data.astype(float), np.array(["barolo", "grignolino", "barbera"], dtype=object)[data.target.to_numpy()]


def digits() -> tuple[pd.DataFrame, Any]:
    data = load_digits(as_frame=True)
    return data.data.astype(float), data.target.to_numpy(np.int64)


def diabetes() -> tuple[pd.DataFrame, Any]:
    data = load_diabetes(as_frame=True)
    return data.data.astype(float), data.target.to_numpy(float)


def mixed(rows: int = 1500) -> tuple[pd.DataFrame, Any]:
    """Numbers with missing values, texts with rare ones too, awkward names, a column that says nothing."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "a number": rng.normal(size=rows).round(3),
            "1st": rng.integers(0, 20, rows).astype(float),
            "variable": rng.lognormal(size=rows),
            "größe": pd.Series(
                rng.choice(["klein", "mittel", "groß", "", "x y"], rows, p=[0.3, 0.3, 0.3, 0.08, 0.02]), dtype=object
            ),
            "carrier": pd.Series(rng.choice(list("ABCDEFGH"), rows), dtype=object),
            "nothing": rng.normal(size=rows),
        }
    )
    target = ((frame["a number"] > 0) ^ (frame["größe"] == "groß")).to_numpy(np.int64)
    target[rng.random(rows) < 0.1] ^= 1
    frame.loc[rng.random(rows) < 0.1, "a number"] = np.nan
    frame.loc[rng.random(rows) < 0.05, "1st"] = np.nan
    return frame, target


NUMBERS, TEXTS = ["a number", "1st", "variable"], ["größe", "carrier"]


def columns(numbers: Any, texts: Any, *, remainder: str = "drop") -> ColumnTransformer:
    return ColumnTransformer([("numbers", numbers, NUMBERS), ("texts", texts, TEXTS)], remainder=remainder)


def imputed() -> Any:
    return make_pipeline(SimpleImputer(strategy="median"), StandardScaler())


MIXED: dict[str, Make] = {
    "one-hot-logistic": lambda: make_pipeline(
        columns(imputed(), OneHotEncoder(handle_unknown="ignore")), LogisticRegression()
    ),
    "rare-forest": lambda: make_pipeline(
        columns(imputed(), OneHotEncoder(handle_unknown="ignore", min_frequency=50)),
        RandomForestClassifier(20, random_state=0),
    ),
    "ordinal-boosting": lambda: make_pipeline(
        columns("passthrough", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)),
        HistGradientBoostingClassifier(max_iter=20, random_state=0),
    ),
    "target-encoder": lambda: make_pipeline(
        columns("passthrough", TargetEncoder(random_state=0)),
        HistGradientBoostingClassifier(max_iter=20, random_state=0),
    ),
    "text-imputer": lambda: make_pipeline(
        columns(
            imputed(),
            make_pipeline(
                SimpleImputer(missing_values="", strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
            ),
        ),
        LogisticRegression(),
    ),
    "text-constant": lambda: make_pipeline(
        columns(
            imputed(),
            make_pipeline(
                SimpleImputer(missing_values="", strategy="constant", fill_value="?"),
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            ),
        ),
        LogisticRegression(),
    ),
    "remainder": lambda: make_pipeline(
        columns(StandardScaler(), OneHotEncoder(handle_unknown="ignore", sparse_output=False), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=20, random_state=0),
    ),
    "function-identity": lambda: make_pipeline(
        ColumnTransformer(
            [
                ("log", FunctionTransformer(), ["variable"]),
                ("n", SimpleImputer(), make_column_selector(dtype_include=np.number)),
                ("t", OneHotEncoder(drop="first"), [3]),
            ]
        ),
        LogisticRegression(),
    ),
    "texts-first": lambda: make_pipeline(
        ColumnTransformer([("t", OneHotEncoder(handle_unknown="ignore"), TEXTS), ("n", imputed(), NUMBERS)]),
        LogisticRegression(),
    ),
    "texts-first-boosting": lambda: make_pipeline(
        ColumnTransformer(
            [("t", OneHotEncoder(handle_unknown="ignore", min_frequency=50), TEXTS), ("n", "passthrough", NUMBERS)],
            sparse_threshold=0,
        ),
        HistGradientBoostingClassifier(max_iter=20, random_state=0),
    ),
    "numbers-only": lambda: make_pipeline(ColumnTransformer([("n", imputed(), NUMBERS)]), LogisticRegression()),
    "two-in-a-row": lambda: make_pipeline(
        columns(imputed(), OneHotEncoder(handle_unknown="ignore", sparse_output=False)),
        StandardScaler(),
        GradientBoostingClassifier(n_estimators=10, random_state=0),
    ),
}


def signature_of(frame: pd.DataFrame, estimator: Any, task: Task) -> Signature:
    inputs = tuple(
        Column(name=str(name), kind="number" if frame[name].dtype.kind == "f" else "text") for name in frame.columns
    )
    classes = () if task == "regression" else tuple(estimator.classes_.tolist())
    return Signature(task=task, inputs=inputs, classes=classes)


def exported(frame: pd.DataFrame, target: Any, estimator: Any) -> tuple[bytes, Signature, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(frame, target)
    task: Task = "regression"
    if is_classifier(estimator):
        task = "binary-classification" if len(estimator.classes_) == 2 else "multiclass-classification"
    signature = signature_of(frame, estimator, task)
    return SklearnExporter().export(estimator, signature), signature, estimator


def parity(frame: pd.DataFrame, target: Any, estimator: Any, asked: pd.DataFrame | None = None) -> Parity:
    graph, signature, estimator = exported(frame, target, estimator)
    asked = frame if asked is None else asked
    if signature.task == "regression":
        native = Predictions(values=estimator.predict(asked).astype(float))
    else:
        probabilities = estimator.predict_proba(asked)
        second = np.array(signature.classes)[(probabilities[:, 1] >= 0.5).astype(int)]
        labels = second if signature.task == "binary-classification" else estimator.predict(asked)
        native = Predictions(labels=labels, probabilities=probabilities)
    onnx_answers = (
        OnnxRuntime().load(graph, signature).predict({name: asked[name].to_numpy() for name in asked.columns})
    )
    return compare(native, onnx_answers, atol=1e-5, max_flips=0)


@pytest.mark.parametrize("make", CLASSIFIERS.values(), ids=CLASSIFIERS.keys())
@pytest.mark.parametrize("data", [breast_cancer, wine], ids=["two-classes", "three-text-classes"])
def test_classifiers_answer_as_the_native_model_does(make: Make, data: Callable[[], tuple[pd.DataFrame, Any]]) -> None:
    frame, target = data()
    found = parity(frame[::2], target[::2], make(), asked=frame)
    assert found.ok, found


@pytest.mark.parametrize("make", REGRESSORS.values(), ids=REGRESSORS.keys())
def test_regressors_answer_as_the_native_model_does(make: Make) -> None:
    frame, target = diabetes()
    found = parity(frame[::2], target[::2], make(), asked=frame)
    assert found.ok, found


@pytest.mark.parametrize("make", MIXED.values(), ids=MIXED.keys())
def test_texts_and_missing_values_are_answered_as_natively(make: Make) -> None:
    frame, target = mixed()
    asked = frame.copy()
    if "drop" not in repr(make()):
        asked.loc[asked.index[:20], "carrier"] = "never seen"
    found = parity(frame[200:], target[200:], make(), asked=asked)
    assert found.ok, found


def test_every_class_of_ten_gets_its_own_probability() -> None:
    frame, target = digits()
    found = parity(frame[::2], target[::2], RandomForestClassifier(20, random_state=0), asked=frame)
    assert found.ok, found


def test_half_of_the_votes_of_a_forest_is_a_half() -> None:
    """In single precision ten of twenty votes are not always 0.5, and the label flips."""
    frame, target = breast_cancer()
    forest = RandomForestClassifier(20, random_state=0)
    graph, signature, forest = exported(frame[::2], target[::2], forest)
    ties = frame[forest.predict_proba(frame)[:, 1] == 0.5]
    assert len(ties) > 2
    answers = OnnxRuntime().load(graph, signature).predict({name: ties[name].to_numpy() for name in ties})
    assert answers.probabilities is not None
    assert (answers.probabilities == 0.5).all()


@pytest.mark.parametrize("kind", [HistGradientBoostingClassifier, HistGradientBoostingRegressor])
def test_boosting_tells_values_apart_that_are_one_in_float32(kind: Any) -> None:
    seconds = 1_700_000_000.0 + np.arange(4000)
    assert len(np.unique(seconds.astype(np.float32))) < 50, "else this test says nothing"
    frame = pd.DataFrame({"seconds": seconds, "latitude": 40.0 + np.arange(4000) * 1e-6})
    target = (np.arange(4000) // 37) % 2
    found = parity(frame, target if kind is HistGradientBoostingClassifier else target * 10.0, kind(max_iter=20))
    assert found.ok, found


@pytest.mark.parametrize(
    "make",
    [
        lambda: HistGradientBoostingClassifier(max_iter=20),
        lambda: HistGradientBoostingClassifier(max_iter=20, class_weight="balanced", max_leaf_nodes=None),
        lambda: make_pipeline(SimpleImputer(), RandomForestClassifier(10, random_state=0)),
        lambda: make_pipeline(
            SimpleImputer(missing_values=-1.0, strategy="constant", fill_value=7.5), LogisticRegression()
        ),
    ],
    ids=["boosting", "balanced-boosting", "imputed-forest", "marked"],
)
def test_missing_numbers_take_the_native_way(make: Make) -> None:
    frame, target = breast_cancer()
    frame = frame.iloc[:, :6]
    holes = np.random.default_rng(0).random(frame.shape) < 0.2
    frame = frame.mask(holes, -1.0 if "missing_values=-1" in repr(make()) else np.nan)
    found = parity(frame[:400], target[:400], make(), asked=frame)
    assert found.ok, found


TREES: dict[str, Make] = {
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=10),
    "forest": lambda: RandomForestClassifier(20, random_state=0),
    "scaled-forest": lambda: make_pipeline(StandardScaler(), RandomForestClassifier(7, max_depth=6, random_state=0)),
    "extra-trees": lambda: ExtraTreesClassifier(20, random_state=0),
    "tree": lambda: DecisionTreeClassifier(random_state=0),
    "boosting-of-numbers": lambda: HistGradientBoostingRegressor(max_iter=10),
    "forest-of-numbers": lambda: RandomForestRegressor(20, random_state=0),
    "tree-of-numbers": lambda: DecisionTreeRegressor(random_state=0),
}


@pytest.mark.parametrize("trained_with", [True, False], ids=["in-training", "only-later"])
@pytest.mark.parametrize("make", TREES.values(), ids=TREES.keys())
def test_trees_send_missing_numbers_where_the_native_ones_do(make: Make, trained_with: bool) -> None:
    frame, target = diabetes() if "Regressor" in repr(make()) else breast_cancer()
    asked = frame.mask(np.random.default_rng(1).random(frame.shape) < 0.3)
    found = parity(asked if trained_with else frame, target, make(), asked=asked)
    assert found.ok, found


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson", "gamma", "quantile"])
def test_every_loss_of_boosting(loss: str) -> None:
    frame, target = diabetes()
    quantile = 0.8 if loss == "quantile" else None
    found = parity(frame, target, HistGradientBoostingRegressor(loss=loss, quantile=quantile, max_iter=10))
    assert found.ok, found


@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")
def test_a_column_that_was_empty_in_training_is_left_out_as_natively() -> None:
    frame, target = mixed()
    frame = frame[NUMBERS].assign(empty=np.nan)
    found = parity(frame, target, make_pipeline(SimpleImputer(), LogisticRegression()))
    assert found.ok, found


def test_the_default_imputer_leaves_texts_alone_as_natively() -> None:
    frame, target = mixed()
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    found = parity(frame, target, make_pipeline(columns(imputed(), texts), LogisticRegression()))
    assert found.ok, found


def test_a_graph_of_texts_only() -> None:
    frame, target = mixed()
    found = parity(frame[TEXTS], target, make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()))
    assert found.ok, found


def test_boosting_inside_other_estimators() -> None:
    frame, target = breast_cancer()
    boosting = HistGradientBoostingClassifier(max_iter=5, random_state=0)
    voting = VotingClassifier([("a", boosting), ("b", GaussianNB())], voting="soft")
    for estimator in (CalibratedClassifierCV(boosting, cv=2), voting):
        found = parity(frame, target, estimator)
        assert found.ok, (estimator, found)


def test_the_graph_has_the_inputs_and_outputs_of_the_signature() -> None:
    frame, target = mixed()
    graph, _, _ = exported(frame, target, MIXED["numbers-only"]())
    model = onnx.load_model_from_string(graph)
    assert [node.name for node in model.graph.input] == list(frame.columns), "the ignored ones too, in order"
    assert [node.name for node in model.graph.output] == ["label", "probabilities"]
    assert model.graph.output[1].type.tensor_type.elem_type == onnx.TensorProto.DOUBLE
    types = [node.type.tensor_type.elem_type for node in model.graph.input]
    assert types == [onnx.TensorProto.STRING if name in TEXTS else onnx.TensorProto.DOUBLE for name in frame.columns]
    regression, _, _ = exported(*diabetes(), Ridge())
    assert [node.name for node in onnx.load_model_from_string(regression).graph.output] == ["prediction"]


def _double(x: Any) -> Any:
    return x * 2


class Doubling(TransformerMixin, BaseEstimator):
    """A transformer of the team's own, which no converter knows."""

    def fit(self, X: Any, y: Any = None) -> Doubling:
        self.fitted_ = True
        return self

    def transform(self, X: Any) -> Any:
        return np.asarray(X) * 2


@pytest.mark.parametrize(
    ("make", "said", "instead"),
    [
        (lambda: make_pipeline(Doubling(), LogisticRegression()), "Doubling has no converter", "data.prepare"),
        (lambda: make_pipeline(KNNImputer(), LogisticRegression()), "KNNImputer", "SimpleImputer"),
        (lambda: make_pipeline(FunctionTransformer(_double), GaussianNB()), "_double) has no", "data.prepare"),
        (lambda: make_pipeline(StandardScaler(), KNeighborsClassifier()), "very large", "MinMaxScaler(clip=True)"),
        (lambda: VotingClassifier([("a", GaussianNB())]), "no probabilities", "voting='soft'"),
    ],
)
def test_what_cannot_be_converted_is_refused_by_name_with_what_to_use(make: Make, said: str, instead: str) -> None:
    frame, target = breast_cancer()
    frame = frame.iloc[:, :4].round(0)
    with pytest.raises(ParityError) as refused:
        exported(frame, target, make())
    assert said in str(refused.value)
    assert instead in refused.value.fix
    assert len(str(refused.value)) < 1000, "a converter's error can be 25,000 lines long"
    assert type(make()).__name__ in refused.value.where or "+" in refused.value.where


def test_a_feature_called_as_an_output_is_refused() -> None:
    frame, target = breast_cancer()
    with pytest.raises(ParityError, match="a feature is called label"):
        exported(frame.rename(columns={"mean radius": "label"}), target, GaussianNB())


SAME_BYTES = """
import sys, warnings
warnings.simplefilter("ignore")
from tests.adapters.test_onnx_export import MIXED, CLASSIFIERS, breast_cancer, exported, mixed
import hashlib
for name in ("ordinal-boosting", "rare-forest", "text-imputer"):
    print(hashlib.sha256(exported(*mixed(400), MIXED[name]())[0]).hexdigest())
print(hashlib.sha256(exported(*breast_cancer(), CLASSIFIERS["neighbours"]())[0]).hexdigest())
"""


@pytest.mark.slow
def test_two_processes_make_the_same_bytes(pytestconfig: pytest.Config) -> None:
    outputs = [
        subprocess.run(
            [sys.executable, "-c", SAME_BYTES],
            cwd=pytestconfig.rootpath,
            env={"PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert len(outputs[0].split()) == 4
    assert outputs[0] == outputs[1]


def test_a_graph_does_not_say_where_or_when_it_was_made() -> None:
    graph, _, _ = exported(*breast_cancer(), GaussianNB())
    model = onnx.load_model_from_string(graph)
    assert (model.producer_name, model.producer_version, model.graph.name) == ("mlops-ci", "", "model")
    assert not model.metadata_props
    assert {(opset.domain, opset.version) for opset in model.opset_import} == {("", 21), ("ai.onnx.ml", 5)}
