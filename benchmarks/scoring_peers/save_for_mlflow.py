"""Run by MLflow's Python: `save_for_mlflow.py MODEL FOLDER` saves a pickle or a graph as a model of MLflow."""

import pickle
import sys
from pathlib import Path

model, folder = Path(sys.argv[1]), sys.argv[2]
if model.suffix == ".onnx":
    import mlflow.onnx
    import onnx

    # named, since finding them out takes ten seconds; it installs none of them here
    mlflow.onnx.save_model(onnx.load(model), folder, pip_requirements=["onnxruntime"])
else:
    import mlflow.sklearn

    with model.open("rb") as file:
        estimator = pickle.load(file)  # noqa: S301
    mlflow.sklearn.save_model(
        estimator, folder, serialization_format="cloudpickle", pyfunc_predict_fn="predict_proba",
        pip_requirements=["scikit-learn"],
    )  # fmt: skip
