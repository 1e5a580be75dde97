"""The service that most teams write first: FastAPI around a pickled pipeline."""

import os
import pickle
from pathlib import Path
from typing import Any

import pandas as pd
from fastapi import FastAPI

app = FastAPI()
with (Path(os.environ["MODEL_FOLDER"]) / "model.pickle").open("rb") as file:
    model = pickle.load(file)  # noqa: S301


@app.get("/health")
def health() -> dict[str, bool]:
    return {"ok": True}


@app.post("/predict")
def predict(rows: list[dict[str, Any]]) -> dict[str, Any]:
    data = pd.DataFrame(rows)
    return {"probabilities": model.predict_proba(data).tolist()}
