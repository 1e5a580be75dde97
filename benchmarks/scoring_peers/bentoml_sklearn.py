"""A BentoML service around a pickled pipeline, with a data frame for its input."""

import os
import pickle
from pathlib import Path

import bentoml
import numpy as np
import pandas as pd


@bentoml.service
class Scoring:
    def __init__(self) -> None:
        with (Path(os.environ["MODEL_FOLDER"]) / "model.pickle").open("rb") as file:
            self.model = pickle.load(file)  # noqa: S301

    @bentoml.api
    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        probabilities: np.ndarray = self.model.predict_proba(rows)
        return probabilities
