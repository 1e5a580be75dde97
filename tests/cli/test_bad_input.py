"""Everything that people get wrong: a clear message, the documented exit code, and nothing half written."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_ci.adapters.object_store import open_store
from mlops_ci.pipeline.registry import Registry
from tests import s3
from tests.cli.repository import REFUSED, TRAIN, Answer, Repository, fingerprint, flights


@dataclass(frozen=True, kw_only=True)
class Bad:
    """One thing done wrong: what `command` has to say to it."""

    spoil: Callable[[Repository], object]
    code: int
    says: tuple[str, ...]
    command: tuple[str, ...] = ("ci",)


def data(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Repository], object]:
    return lambda repository: repository.write_data(change(flights()))


def config(before: str, after: str) -> Callable[[Repository], object]:
    return lambda repository: repository.edit("mlops.yaml", before, after)


def code(source: str) -> Callable[[Repository], object]:
    return lambda repository: repository.write("train.py", source)


def some_text(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(age=frame["age"].astype(object).where(frame.index != 7, "forty"))


def lost_targets(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(late=frame["late"].astype(float).where(frame.index > 2, np.nan))


TYPED = """\
schema: 1
columns:
  age: {type: integer}
"""


def typed_then_text(repository: Repository) -> None:
    repository.edit("mlops.yaml", "  id: id\n", "  id: id\n  schema: data.schema.yaml\n")
    repository.write("data.schema.yaml", TYPED)
    repository.write_data(some_text(flights()))


MANY_MISTAKES = """\
schema: 1
model: late
task: clustering
data: {source: data.csv, target: late, targte: late}
train: {entrypoint: train}
gate: {primary: {metric: roc_auc, alpha: 2}}
"""

CONFIGURATION = {
    "unknown key": Bad(spoil=config("  id: id\n", "  idd: id\n"), code=2, says=("mlops.yaml:7", "idd", "id")),
    "duplicate key": Bad(
        spoil=config("  id: id\n", "  id: id\n  target: id\n"), code=2, says=("mlops.yaml:8", "target")
    ),
    "no mlops.yaml": Bad(
        spoil=lambda repository: (repository.folder / "mlops.yaml").unlink(), code=2, says=("no mlops.yaml", "init")
    ),
    "unknown model": Bad(
        spoil=lambda _: None, command=("ci", "lade"), code=2, says=("no model is called 'lade'", "did you mean 'late'")
    ),
    "no schema file": Bad(
        spoil=config("  id: id\n", "  id: id\n  schema: nowhere.yaml\n"),
        code=2,
        says=("nowhere.yaml", "cannot be read"),
    ),
}
DATA = {
    "missing file": Bad(
        spoil=lambda repository: (repository.folder / "data.csv").unlink(), code=10, says=("data.csv",)
    ),
    "empty file": Bad(spoil=lambda repository: repository.write("data.csv", ""), code=10, says=("data.csv", "empty")),
    "no rows": Bad(spoil=data(lambda frame: frame.head(0)), code=10, says=("holds no row",)),
    "target missing": Bad(
        spoil=data(lambda frame: frame.rename(columns={"late": "lates"})),
        code=10,
        says=("mlops.yaml data.target", "there is no column late", "did you mean lates?"),
    ),
    "number turned text": Bad(spoil=typed_then_text, code=10, says=("age", "integer", "line 9")),
    "target NaN": Bad(
        spoil=data(lost_targets), code=10, says=("column late (target)", "3 of 400 values are missing", "line 2")
    ),
    "one class": Bad(spoil=data(lambda frame: frame.assign(late=1)), code=10, says=("has one class only: 1",)),
}
CODE = {
    "build_model raises": Bad(
        spoil=code("def build_model(params):\n    raise KeyError('depth')\n"),
        code=2,
        says=("train.py line 2", "KeyError", "depth"),
    ),
    "build_model returns nothing": Bad(
        spoil=code("def build_model(params):\n    pass\n"),
        code=2,
        says=("returned None", "unfitted scikit-learn estimator"),
    ),
    "build_model returns no estimator": Bad(
        spoil=code("def build_model(params):\n    return {'C': 1}\n"),
        code=2,
        says=("a dict, which is no scikit-learn estimator",),
    ),
    "no build_model": Bad(
        spoil=code("def build(params):\n    pass\n"),
        code=2,
        says=("there is no function build_model in train", "train.py"),
    ),
    "no train.py": Bad(
        spoil=lambda repository: (repository.folder / "train.py").unlink(),
        code=2,
        says=("there is no module train", "train.py"),
    ),
    "syntax error": Bad(
        spoil=code("def build_model(params)\n    pass\n"), code=2, says=("train.py line 1", "SyntaxError")
    ),
    "fit raises": Bad(
        spoil=code(TRAIN.replace('["height", "age"]', '["height", "weight"]')),
        code=2,
        says=("fitting the estimator failed", "weight"),
    ),
    "exits": Bad(spoil=code("import sys\nsys.exit(0)\n"), code=2, says=("train.py line 2", "SystemExit")),
}
EVERYTHING = {**CONFIGURATION, **DATA, **CODE}


@pytest.mark.parametrize("bad", EVERYTHING.values(), ids=EVERYTHING)
def test_a_clear_message_and_nothing_half_written(repository: Repository, bad: Bad) -> None:
    bad.spoil(repository)
    before = repository.fingerprint()

    answer = repository.run(*bad.command)

    assert answer.code == bad.code, answer.said
    assert [text for text in bad.says if text not in answer.said] == [], answer.said
    assert "Traceback" not in answer.stderr
    assert repository.fingerprint() == before


@pytest.mark.parametrize("bad", DATA.values(), ids=DATA)
def test_training_on_bad_data_is_refused_as_checking_them_is(repository: Repository, bad: Bad) -> None:
    bad.spoil(repository)
    before = repository.fingerprint()

    assert repository.run("check").value["ok"] is False
    answer = repository.run("train")

    assert (answer.code, answer.value["exit_code"]) == (10, 10)
    assert repository.fingerprint() == before


def test_without_a_schema_it_is_the_estimator_that_cannot_take_text_for_numbers(judged: Repository) -> None:
    judged.write_data(some_text(flights()))

    answer = judged.run("train")

    assert answer.code == 2
    assert "fitting the estimator failed" in answer.error["what"]


def test_all_problems_of_a_configuration_are_listed_at_once(repository: Repository) -> None:
    repository.write("mlops.yaml", MANY_MISTAKES)

    answer = repository.run("check")

    assert answer.code == 2
    lines = {problem["where"] for problem in answer.error["problems"]}
    assert {"mlops.yaml:3", "mlops.yaml:4", "mlops.yaml:5", "mlops.yaml:6"} <= lines
    assert all(problem["what"] and problem["fix"] for problem in answer.error["problems"]), answer.said


def test_all_problems_of_the_data_are_listed_at_once(repository: Repository) -> None:
    frame = lost_targets(flights()).assign(height=np.nan)
    frame["id"] = 1
    repository.write_data(frame)

    answer = repository.run("check")

    assert (answer.code, answer.value["ok"], answer.value["rows"]) == (10, False, 400)
    places = " ".join(problem["where"] for problem in answer.value["problems"])
    assert all(column in places for column in ("height", "late", "id")), answer.said


def test_an_estimator_that_cannot_be_converted_is_refused_with_what_to_use_instead(repository: Repository) -> None:
    repository.write("train.py", REFUSED)

    exported = repository.run("export")
    assert exported.code == 12
    assert exported.value["parity"] is None
    assert "KNNImputer" in exported.error["what"]
    assert "SimpleImputer" in exported.error["fix"]

    evaluated = repository.run("evaluate")
    assert (evaluated.code, evaluated.value["verdict"], evaluated.value["ships"]) == (11, "parity", False)

    # The first step that failed gives its code, but the model is judged and reported all the same.
    whole = repository.run("ci")
    assert (whole.code, whole.value["failed"], whole.value["verdict"]) == (12, "export", "parity")
    assert "KNNImputer" in Path(whole.value["report"]["markdown"]).read_text(encoding="utf-8")


def test_a_release_of_it_is_blocked(repository: Repository) -> None:
    repository.write("train.py", REFUSED)
    repository.write(".gitignore", ".mlops/\n")
    repository.commit()

    answer = repository.run("release")

    assert answer.code == 12
    assert repository.run("history").value["events"] == []


def test_a_store_where_a_file_is_in_the_way(repository: Repository) -> None:
    repository.write("occupied", "a file, not a folder")
    before = repository.fingerprint()

    answer = repository.run("ci", "--store", str(repository.folder / "occupied"))

    assert answer.code == 20
    assert "occupied" in answer.said
    assert repository.fingerprint() == before


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_store_that_nobody_can_write_to(repository: Repository) -> None:
    before = repository.fingerprint()

    answer = repository.run("ci", "--store", "/proc/store")

    assert answer.code == 20
    assert "/proc/store" in answer.said
    assert repository.fingerprint() == before


def test_a_work_folder_that_is_a_file(repository: Repository) -> None:
    repository.write(".mlops", "")

    answer = repository.run("ci")

    assert answer.code == 2
    assert ".mlops" in answer.error["what"]


@pytest.mark.parametrize(
    "url", ["ftp://there/store", "s3:///no-bucket", "s3://user:secret@bucket/x", "file://host/x", " "]
)
def test_a_store_url_that_cannot_be(repository: Repository, url: str) -> None:
    answer = repository.run("history", "--store", url)

    assert answer.code == 2
    assert "file://" in answer.error["fix"] or "://" in answer.error["what"]
    assert "secret" not in answer.said + answer.stderr


def test_a_corrupted_blob_is_found_wherever_it_is_read(judged: Repository) -> None:
    digest = judged.run("train").value["onnx"]
    blob = judged.store / "blobs" / "sha256" / digest[:2] / digest
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    before = fingerprint(judged.store)

    for command in (["export"], ["evaluate"], ["ci"], ["score", "--input", "data.csv", "--output", "scored.parquet"]):
        answer = judged.run(*command)
        assert answer.code == 16, answer.said
        assert digest in answer.said
    assert fingerprint(judged.store) == before
    assert not (judged.folder / "scored.parquet").exists()


ENDING = """
import contextlib
import urllib.request

with contextlib.suppress(OSError):
    urllib.request.urlopen({url!r})
"""


def test_a_server_that_dies_in_the_middle_of_a_run(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """The team's own code ends the server, so that it is certainly there before the training and gone after it."""
    with s3.serve() as server:
        for name, value in {**server.options, "AWS_ALLOW_HTTP": "true"}.items():
            monkeypatch.setenv(name, value)
        bucket = server.new_bucket()
        assert repository.run("history", "--store", bucket).code == 0
        repository.write("train.py", TRAIN + ENDING.format(url=f"{server.endpoint}/-/exit"))
        before = repository.fingerprint()

        answer = repository.run("train", "--store", bucket)

    assert answer.code == 20, answer.said
    assert "s3://" in answer.said
    assert s3.SECRET not in answer.said + answer.stderr
    assert repository.fingerprint() == before


SLOW = """\
from pathlib import Path

from sklearn.base import BaseEstimator, ClassifierMixin


class Endless(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        Path({marker!r}).touch()
        while True:
            pass

    def predict(self, X):
        raise NotImplementedError

    predict_proba = predict


def build_model(params):
    return Endless()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_training_leaves_nothing(repository: Repository, tmp_path: Path, number: signal.Signals) -> None:
    marker = tmp_path / "fitting"
    repository.write("train.py", SLOW.format(marker=str(marker)))
    before = repository.fingerprint()
    process = repository.start("ci", "--json")
    while not marker.exists():
        assert process.poll() is None, process.communicate()
    process.send_signal(number)
    stdout, stderr = process.communicate()

    assert process.returncode == 130, stderr
    assert '"exit_code": 130' in stdout
    assert "error: interrupted" in stderr
    assert "Traceback" not in stderr
    assert repository.fingerprint() == before


def test_commands_that_need_git_say_so(judged: Repository) -> None:
    for command in (["release"], ["promote", "--to", "production"], ["status"], ["reconcile"], ["retrain"]):
        answer = judged.run(*command)
        assert answer.code == 2, (command, answer.said)
        assert "is no Git repository with a commit" in answer.said
        assert "git init" in answer.said


def test_a_repository_without_a_commit_is_as_good_as_none(judged: Repository) -> None:
    judged.git("init", "-q", "-b", "main")

    assert judged.run("train").code == 0
    answer = judged.run("release")
    assert answer.code == 2
    assert "with a commit" in answer.said


@pytest.mark.parametrize("path", ["data.csv", "train.py", "mlops.yaml"])
def test_a_dirty_tree_is_not_released(judged: Repository, path: str) -> None:
    judged.commit()
    with (judged.folder / path).open("a", encoding="utf-8") as file:
        file.write("1,2,3,red,1\n" if path == "data.csv" else "# later\n")
    before = fingerprint(judged.store)

    answer = judged.run("release")

    assert answer.code == 2
    assert f"{path}: not committed" in answer.error["what"]
    assert fingerprint(judged.store) == before


def test_code_that_changes_itself_while_it_trains_keeps_nothing(repository: Repository) -> None:
    repository.write(
        "train.py", TRAIN + "from pathlib import Path\nPath(__file__).with_name('new.py').write_text('x = 1')\n"
    )

    answer = repository.run("train")

    assert answer.code == 2
    assert "changed while the model was trained" in answer.error["what"]
    assert not list(repository.store.rglob("*.json"))


def released_together(repository: Repository) -> list[Answer]:
    both = [repository.start("release", "--json", "--quiet") for _ in range(2)]
    ended = [(process, *process.communicate()) for process in both]
    return [Answer(code=process.returncode, value=json.loads(out), stderr=err) for process, out, err in ended]


def test_two_releases_at_the_same_moment_make_one_version(judged: Repository) -> None:
    """The loser is told to try again (20), or finds all done (0); there is never a second version, nor a broken log."""
    judged.commit()
    try:
        answers = released_together(judged)
        assert all(answer.code in {0, 20} for answer in answers), [answer.said for answer in answers]
        again = judged.run("release")
        assert (again.code, again.value["version"], again.value["verified"]) == (0, 1, True)
        events = judged.run("history").value["events"]
        assert [event["kind"] for event in events].count("registered") == 1
        assert judged.run("verify-log").code == 0
        (row,) = (row for row in judged.run("status").value["environments"] if row["environment"] == "qa")
        assert (row["version"], row["healthy"], row["settled"]) == (1, True, True)
    finally:
        judged.stop_services()


def test_a_graph_that_answers_otherwise_says_how(judged: Repository) -> None:
    """As if the native model had answered one adversarial row otherwise."""
    lock = judged.run("train").value["lock"]
    path = next(path for path in judged.store.rglob(f"{lock}.json") if "candidates" in path.parts)
    record = json.loads(path.read_text("utf-8"))
    registry = Registry(open_store(str(judged.store)))
    probes = registry.get_json(record["probes"])
    row = probes["kinds"].index("missing")
    probes["scores"][row] = [1.0 - score for score in probes["scores"][row]]
    path.chmod(0o644)
    path.write_text(json.dumps({**record, "probes": registry.put_json(probes)}), "utf-8")

    exported = judged.run("export")

    assert exported.code == 12
    parity = exported.value["parity"]
    assert (parity["ok"], parity["columns"]) == (False, probes["changes"][row])
    assert {kind["kind"]: kind["over"] for kind in parity["kinds"]}["missing"] == 1
    assert "columns that matter" in exported.error["what"]
    assert judged.run("evaluate").value["verdict"] == "parity"
