"""Rules for trees, forests and boosting; see `onnx_rules`."""

from __future__ import annotations

from mlops_ci.adapters.onnx_rules import Converts, Refuses, Rule


def _both(*names: str, package: str = "sklearn") -> tuple[str, ...]:
    return tuple(f"{package}.{name}{kind}" for name in names for kind in ("Classifier", "Regressor"))


TREES: tuple[Rule, ...] = (
    Converts(
        classes=_both("DecisionTree", "ExtraTree", "RandomForest", "ExtraTrees"),
        predict="onnx_forests:predict_forest",
        classify="onnx_forests:classify_forest",
        because="skl2onnx loses the direction of missing values, and adds up votes in float32, where half is not half",
    ),
    Converts(
        classes=_both("Bagging"),
        predict="onnx_forests:predict_bagging",
        classify="onnx_forests:classify_bagging",
        because="bagged trees are a forest, whose trees see some of the columns; others vote one by one",
    ),
    Converts(
        classes=_both("AdaBoost"),
        predict="onnx_forests:predict_adaboost",
        classify="onnx_forests:classify_adaboost",
        decide="onnx_forests:decide_adaboost",
        because="skl2onnx weighs votes in float32",
    ),
    Converts(
        classes=_both("GradientBoosting"),
        predict="onnx_boosting:predict_boosting",
        classify="onnx_boosting:classify_boosting",
        decide="onnx_boosting:decide_boosting",
        because="skl2onnx adds up in float32",
    ),
    Converts(
        classes=_both("HistGradientBoosting"),
        predict="onnx_boosting:predict_histogram",
        classify="onnx_boosting:classify_histogram",
        decide="onnx_boosting:decide_histogram",
        because="skl2onnx rounds thresholds to float32, where scikit-learn compares in float64, and loses categories",
    ),
    Converts(
        classes=_both("LGBM", package="lightgbm"),
        predict="onnx_lightgbm:predict_lightgbm",
        classify="onnx_lightgbm:classify_lightgbm",
        decide="onnx_lightgbm:decide_lightgbm",
        because="onnxmltools rounds thresholds to float32, where LightGBM compares in float64",
    ),
    Converts(
        classes=_both("XGB", "XGBRF", package="xgboost"),
        predict="onnx_xgboost:predict_xgboost",
        classify="onnx_xgboost:classify_xgboost",
        because="XGBoost casts to float32 itself, after whatever comes before it in float64",
    ),
    Refuses(
        classes=_both("GradientBoosting"),
        when=lambda estimator: estimator.init is not None and estimator.init != "zero",
        because="an estimator given as init computes in float32, which a graph does not do in the same order",
        instead="init=None, or HistGradientBoosting",
    ),
)
