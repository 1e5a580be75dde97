"""FastAPI around onnxruntime as its tutorials show it: a session with its defaults, and arrays made of the rows."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from fastapi import FastAPI

app = FastAPI()
folder = Path(os.environ["MODEL_FOLDER"])
packed = folder / "packed.onnx"
session = onnxruntime.InferenceSession(
    packed if packed.exists() else folder / "model.onnx", providers=["CPUExecutionProvider"]
)
types = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(string)": object}
inputs = {node.name: types[node.type] for node in session.get_inputs()}


@app.get("/health")
def health() -> dict[str, bool]:
    return {"ok": True}


@app.post("/predict")
def predict(rows: list[dict[str, Any]]) -> dict[str, Any]:
    if packed.exists():
        feeds = {"X": np.array([list(row.values()) for row in rows], dtype=inputs["X"])}
    else:
        feeds = {name: np.array([[row[name]] for row in rows], dtype=kind) for name, kind in inputs.items()}
    labels, probabilities = session.run(None, feeds)
    return {"labels": labels.tolist(), "probabilities": probabilities.tolist()}
