from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np
import pandas as pd
import pytest

from mlops_ci.adapters.data_files import LocalDataFiles
from mlops_ci.errors import ConfigurationError, DataGateError

FILES = LocalDataFiles()


def write(root: Path, name: str, text: str | bytes) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refused(root: Path, source: str) -> DataGateError:
    with pytest.raises(DataGateError) as raised:
        FILES.read(source, root)
    return raised.value


def test_columns_that_are_texts_are_read_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("request_id,late\n007,1\n1e5,0\n123456789012345678901,1\n")
    frame = LocalDataFiles().read("a.csv", tmp_path, texts=["request_id", "no column"])
    assert frame["request_id"].tolist() == ["007", "1e5", "123456789012345678901"]
    assert frame["late"].tolist() == [1, 0, 1]


def test_reads_csv_and_says_where_its_rows_are(tmp_path: Path) -> None:
    write(tmp_path, "data/a.csv", "x,name,flag\n1,ann,True\n2.5,,False\n")
    frame = FILES.read("data/a.csv", tmp_path)
    assert frame.columns.tolist() == ["x", "name", "flag"]
    assert frame["x"].tolist() == [1.0, 2.5]
    assert frame["name"].isna().tolist() == [False, True]
    assert frame.attrs["files"] == [["data/a.csv", 2, True]]


def test_the_digest_is_the_file_s_sha256_under_its_relative_path(tmp_path: Path) -> None:
    data = b"x\n" + b"1\n" * 700_000
    write(tmp_path, "data/a.csv", data)
    assert FILES.digests("data/a.csv", tmp_path) == {"data/a.csv": hashlib.sha256(data).hexdigest()}


def test_a_pattern_s_files_follow_each_other_by_name_whatever_the_order_of_columns(tmp_path: Path) -> None:
    write(tmp_path, "data/b.csv", "y,x\n3,4\n")
    write(tmp_path, "data/a.csv", "x,y\n1,2\n")
    pd.DataFrame({"x": [5], "y": [6]}).to_parquet(tmp_path / "data/c.parquet")
    frame = FILES.read("data/*", tmp_path)
    assert frame.to_dict("list") == {"x": [1, 4, 5], "y": [2, 3, 6]}
    assert [name for name, _, _ in frame.attrs["files"]] == ["data/a.csv", "data/b.csv", "data/c.parquet"]
    assert list(FILES.digests("data/*", tmp_path)) == ["data/a.csv", "data/b.csv", "data/c.parquet"]


def test_a_quoted_line_break_makes_line_numbers_uncertain(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", 'x,note\n1,"two\nlines"\n2,one\n')
    frame = FILES.read("a.csv", tmp_path)
    assert len(frame) == 2
    assert frame.attrs["files"] == [["a.csv", 2, False]]


def test_a_mark_of_utf8_at_the_beginning_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", b"\xef\xbb\xbfx,y\n1,2\n")
    assert FILES.read("a.csv", tmp_path).columns.tolist() == ["x", "y"]


def test_a_late_text_makes_the_whole_column_text_and_not_a_mixture(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "x,y\n" + "1,2\n" * 400_000 + "oops,2\n")
    frame = FILES.read("a.csv", tmp_path)
    assert {type(value) for value in frame["x"].iloc[[0, -1]]} == {str}


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "x,y\n")
    frame = FILES.read("a.csv", tmp_path)
    assert (len(frame), frame.columns.tolist()) == (0, ["x", "y"])


def test_parquet_keeps_its_types_and_an_index_is_a_column(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"when": pd.to_datetime(["2026-01-01"]), "kind": pd.Categorical(["a"])}, index=pd.Index([7], name="id")
    )
    frame.to_parquet(tmp_path / "a.parquet")
    read = FILES.read("a.parquet", tmp_path)
    assert read["id"].tolist() == [7]
    assert read["when"].dtype.kind == "M"
    assert read["kind"].tolist() == ["a"]


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("", "a.csv", "the file is empty"),
        ("\n\n", "a.csv", "the file is empty"),
        ("x,y,x\n1,2,3\n", "a.csv line 1", "columns 1 and 3 are both called x"),
        (",x\n0,1\n", "a.csv line 1", "column 1 has no name"),
        ("x;y\n1;2\n", "a.csv line 1", "fields are separated by ';'"),
        ("x,y\n1,2\n3\n4,5\n", "a.csv line 3", "has 1 fields, the header has 2"),
        ("x,y\n1,2\n3,4,5\n", "a.csv line 3", "has 3 fields, the header has 2"),
        ("x,y\n1,2,3\n4,5,6\n", "a.csv line 2", "has 3 fields, the header has 2"),
        ('x,y\n1,"two\nlines"\n3\n', "a.csv line 4", "has 1 fields, the header has 2"),
        (b"x,y\n1,caf\xc3\xa9\n2,caf\xe9\n", "a.csv line 3", "byte 17 (0xe9) is not UTF-8"),
        (b"caf\xe9,y\n1,2\n", "a.csv line 1", "byte 3 (0xe9) is not UTF-8"),
        ('x,y\n1,"2\n', "a.csv", "is no readable CSV file: EOF inside string"),
    ],
    ids=[
        "empty",
        "blank",
        "doubled",
        "index",
        "semicolon",
        "short",
        "long",
        "all-long",
        "after-break",
        "latin",
        "header",
        "quote",
    ],
)
def test_what_is_no_table_is_refused_with_its_line(tmp_path: Path, text: str | bytes, where: str, what: str) -> None:
    write(tmp_path, "a.csv", text)
    error = refused(tmp_path, "a.csv")
    assert (error.where, error.what[: len(what)]) == (where, what)


def test_a_wrong_byte_far_behind_the_beginning_is_found(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", b"x,y\n" + b"1,abc\n" * 300_000 + b"1,\xff\n")
    error = refused(tmp_path, "a.csv")
    assert (error.where, error.what) == ("a.csv line 300002", "byte 1800006 (0xff) is not UTF-8")


@pytest.mark.parametrize(
    ("source", "where", "what"),
    [
        ("missing.csv", "missing.csv", "there is no such file"),
        ("data/*.csv", "data/*.csv", "no file matches"),
        ("folder", "folder", "is a folder, not a file"),
        ("notes.txt", "notes.txt", "is neither CSV nor Parquet by its name (.txt)"),
        ("broken.parquet", "broken.parquet", "is no readable Parquet file"),
        ("a.csv.dvc", "a.csv.dvc", "there is no such DVC pointer"),
    ],
)
def test_a_source_that_cannot_be_read_is_named(tmp_path: Path, source: str, where: str, what: str) -> None:
    (tmp_path / "folder").mkdir()
    write(tmp_path, "notes.txt", "x\n")
    write(tmp_path, "broken.parquet", "PAR1 it is not")
    error = refused(tmp_path, source)
    assert error.where == where
    assert error.what.startswith(what)


def test_a_pattern_that_leaves_the_folder_by_an_absolute_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no usable pattern"):
        FILES.read(f"{tmp_path}/*.csv", tmp_path)


def test_files_with_other_columns_are_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "x,y\n1,2\n")
    write(tmp_path, "b.csv", "x,z\n1,2\n")
    error = refused(tmp_path, "*.csv")
    assert error.where == "b.csv"
    assert error.what == "other columns than a.csv: lacks y; adds z"


def test_a_column_that_is_a_number_in_one_file_and_a_text_in_another_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "x,y\n1,2\n")
    write(tmp_path, "b.csv", "x,y\none,2\n")
    write(tmp_path, "c.csv", "x,y\n,2\n")
    error = refused(tmp_path, "*.csv")
    assert error.what == "column x is a number in a.csv, a text in b.csv"


def test_flags_with_and_without_gaps_are_of_one_kind(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "x,y\nTrue,2\n")
    write(tmp_path, "b.csv", "x,y\n,2\nFalse,3\n")
    assert FILES.read("*.csv", tmp_path)["x"].isna().tolist() == [False, True, False]


def pointer(md5: str, path: str = "a.csv", hashed: str = "  hash: md5\n") -> str:
    return f"outs:\n- md5: {md5}\n  size: 8\n{hashed}  path: {path}\n"


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def test_a_dvc_pointer_stands_for_its_file(tmp_path: Path) -> None:
    write(tmp_path, "data/a.csv", "x,y\n1,2\n")
    write(tmp_path, "data/a.csv.dvc", pointer(md5(b"x,y\n1,2\n")))
    assert FILES.read("data/a.csv.dvc", tmp_path)["y"].tolist() == [2]
    assert list(FILES.digests("data/a.csv.dvc", tmp_path)) == ["data/a.csv"]


def test_an_old_dvc_pointer_counts_unix_line_ends(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", b"x,y\r\n1,2\r\n")
    write(tmp_path, "a.csv.dvc", pointer(md5(b"x,y\n1,2\n"), hashed=""))
    assert FILES.read("a.csv.dvc", tmp_path)["y"].tolist() == [2]
    write(tmp_path, "a.csv.dvc", pointer(md5(b"x,y\n1,2\n")))
    assert "is not the file that the pointer names" in refused(tmp_path, "a.csv.dvc").what


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (pointer("0" * 32), "a.csv is not the file that the pointer names (MD5)"),
        (
            pointer("0" * 32, path="gone.csv"),
            "points to gone.csv, which is not here, and neither in DVC's cache nor in its remote",
        ),
        (
            pointer("0" * 32 + ".dir", path="gone"),
            "points to gone, which is not here, and neither in DVC's cache nor in its remote",
        ),
        (pointer("../../../etc/passwd"), "is no DVC pointer: its md5 is none"),
        ("outs: []\n", "is no DVC pointer to one file or folder (outs: md5, path)"),
        ("- a\n- b: [\n", "is no DVC pointer to one file or folder (outs: md5, path)"),
    ],
)
def test_a_dvc_pointer_that_leads_nowhere_is_refused(tmp_path: Path, text: str, what: str) -> None:
    write(tmp_path, "a.csv", "x,y\n1,2\n")
    write(tmp_path, "a.csv.dvc", text)
    error = refused(tmp_path, "a.csv.dvc")
    assert (error.where, error.what) == ("a.csv.dvc", what)


@pytest.mark.parametrize("write_frame", [pd.DataFrame.to_csv, pd.DataFrame.to_parquet], ids=["csv", "parquet"])
def test_numbers_come_back_to_the_last_digit(tmp_path: Path, write_frame: Callable[..., None]) -> None:
    values = np.random.default_rng(0).normal(size=2000) * 10.0 ** np.arange(-100, 100).repeat(10)
    suffix = "csv" if write_frame is pd.DataFrame.to_csv else "parquet"
    write_frame(pd.DataFrame({"x": values, "y": 1}), tmp_path / f"a.{suffix}", index=False)
    assert np.array_equal(FILES.read(f"a.{suffix}", tmp_path)["x"].to_numpy(), values)


@pytest.fixture(scope="module")
def bucket() -> Iterator[tuple[str, dict[str, str]]]:
    """A bucket of a stand-in for S3 on this machine, and the settings to reach it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    options = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
    }
    request = Request(f"http://{host}:{port}/flights-data", method="PUT")
    with urlopen(request) as answer:
        assert answer.status == 200
    yield "flights-data", options
    server.stop()


def put(bucket: tuple[str, dict[str, str]], key: str, text: str) -> None:
    url = f"{bucket[1]['AWS_ENDPOINT_URL']}/{bucket[0]}/{key}"
    headers = {"Content-Type": "text/csv"}
    with urlopen(Request(url, data=text.encode(), method="PUT", headers=headers)) as answer:
        assert answer.status == 200


def test_objects_of_a_bucket_are_read_like_files(bucket: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    put(bucket, "2026/q1.csv", "x,y\n1,2\n")
    put(bucket, "2026/q2.csv", "x,y\n3,4\n")
    put(bucket, "2026/deeper/q3.csv", "x,y\n5,6\n")
    put(bucket, "2026/q1.csv.old", "x,y\n7,8\n")
    files = LocalDataFiles(bucket[1])
    source = f"s3://{bucket[0]}/2026/*.csv"
    frame = files.read(source, tmp_path)
    assert frame["x"].tolist() == [1, 3]
    assert frame.attrs["files"][1] == [f"s3://{bucket[0]}/2026/q2.csv", 1, True]
    digest = hashlib.sha256(b"x,y\n3,4\n").hexdigest()
    assert files.digests(source, tmp_path)[f"s3://{bucket[0]}/2026/q2.csv"] == digest
    assert files.read(f"s3://{bucket[0]}/2026/q2.csv", tmp_path)["x"].tolist() == [3]


def test_an_object_that_is_not_there_is_named(bucket: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    with pytest.raises(DataGateError, match="no file matches"):
        LocalDataFiles(bucket[1]).read(f"s3://{bucket[0]}/none/*.csv", tmp_path)
