"""`admit`: what is proved enters the store, and nothing else does, whatever a hostile job left in its outbox."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlops_ci.core.digest import canonical_json, sha256
from mlops_ci.core.layout import blob_path
from tests.cli.repository import ROOT
from tests.handover.handing import Handed, overwrite

Meddle = Callable[[Handed], None]
NAMED = ("onnx", "lock_record", "reference", "profile", "probes", "diagnostics")


def test_the_candidate_and_what_it_names_enter_the_store_and_nothing_else(handed: Handed) -> None:
    admitted = handed.admit()
    assert admitted.code == 0, admitted.said
    assert admitted.value["admitted"] == [{"model": "late", "lock": handed.lock}]
    assert admitted.value["refused"] == admitted.value["left"] == []
    blobs = {blob_path(handed.candidate[name]) for name in NAMED}
    assert handed.stored() == {f"candidates/late/{handed.lock}.json", *blobs}
    assert (handed.team.store / f"candidates/late/{handed.lock}.json").read_bytes() == handed.record.read_bytes()
    assert handed.team.run("train").value["cached"] is True


def test_it_is_taken_once_and_what_is_there_stays(handed: Handed) -> None:
    assert handed.admit().code == 0
    before = handed.stored()
    handed.change(seconds=1.0)
    again = handed.admit()
    assert again.code == 0
    assert again.value["admitted"] == []
    assert "has a candidate already" in again.value["left"][0]["reason"]
    assert handed.stored() == before
    assert json.loads((handed.team.store / f"candidates/late/{handed.lock}.json").read_bytes())["seconds"] != 1.0


def test_what_was_killed_halfway_is_finished(handed: Handed) -> None:
    """A blob that is in the store already, whoever put it there, is no reason to stop; nor need it be handed over."""
    graph = handed.outbox / blob_path(handed.candidate["onnx"])
    overwrite(handed.team.store / blob_path(handed.candidate["onnx"]), graph.read_bytes())
    graph.unlink()
    assert handed.admit().value["admitted"] == [{"model": "late", "lock": handed.lock}]


def swapped(handed: Handed) -> None:
    """A graph of another model under the digest of the right one."""
    overwrite(handed.outbox / blob_path(handed.candidate["onnx"]), b"\x08\x0a" * 100)


def another_model(handed: Handed) -> None:
    overwrite(handed.outbox / "candidates" / "other" / f"{handed.lock}.json", handed.record.read_bytes())


def another_lock(handed: Handed) -> None:
    overwrite(handed.outbox / "candidates" / "late" / f"{'a' * 64}.json", handed.record.read_bytes())


def renamed(handed: Handed) -> None:
    """A candidate of the right shape whose lock is one of other code: that of the main branch to come, say."""
    lock = handed.json("lock_record")
    lock["code"]["train.py"] = "b" * 64
    data = canonical_json(lock)
    record = {**handed.candidate, "lock": sha256(data), "lock_record": handed.put(data)}
    overwrite(handed.outbox / "candidates" / "late" / f"{sha256(data)}.json", canonical_json(record))


def another_interpreter(handed: Handed) -> None:
    lock = handed.json("lock_record")
    lock["environment"]["python"] = "3.8.1"
    data = canonical_json(lock)
    record = {**handed.candidate, "lock": sha256(data), "lock_record": handed.put(data)}
    handed.record.unlink()
    overwrite(handed.outbox / "candidates" / "late" / f"{sha256(data)}.json", canonical_json(record))


def without_a_package(handed: Handed) -> None:
    lock = handed.json("lock_record")
    del lock["environment"]["onnxruntime"]
    data = canonical_json(lock)
    record = {**handed.candidate, "lock": sha256(data), "lock_record": handed.put(data)}
    overwrite(handed.outbox / "candidates" / "late" / f"{sha256(data)}.json", canonical_json(record))


def missing_blob(handed: Handed) -> None:
    (handed.outbox / blob_path(handed.candidate["reference"])).unlink()


def linked_record(handed: Handed) -> None:
    elsewhere = handed.team.folder / "elsewhere.json"
    handed.record.rename(elsewhere)
    handed.record.symlink_to(elsewhere)


def linked_folder(handed: Handed) -> None:
    elsewhere = handed.team.folder / "elsewhere"
    (handed.outbox / "candidates" / "late").rename(elsewhere)
    (handed.outbox / "candidates" / "late").symlink_to(elsewhere)


def linked_blob(handed: Handed) -> None:
    secret = handed.team.folder / "secret"
    blob = handed.outbox / blob_path(handed.candidate["profile"])
    secret.write_bytes(blob.read_bytes())
    blob.unlink()
    blob.symlink_to(secret)


def pipe(handed: Handed) -> None:
    """To open it would wait for ever."""
    handed.record.unlink()
    os.mkfifo(handed.record)


def huge(handed: Handed) -> None:
    overwrite(handed.record, b"")
    handed.record.chmod(0o600)
    os.truncate(handed.record, 2 << 20)


def deep(handed: Handed) -> None:
    overwrite(handed.record, b"[" * 100_000 + b"]" * 100_000)


def not_a_number(handed: Handed) -> None:
    overwrite(handed.record, handed.record.read_bytes().replace(b'"seconds":', b'"seconds":NaN,"second":'))


def twice(handed: Handed) -> None:
    overwrite(handed.record, handed.record.read_bytes().replace(b'{"commit":', b'{"commit":"0","commit":', 1))


def spelled_otherwise(handed: Handed) -> None:
    overwrite(handed.record, json.dumps(handed.candidate).encode())


def too_many(handed: Handed) -> None:
    for number in range(11):
        overwrite(handed.outbox / "candidates" / "late" / f"{number:064d}.json", b"{}\n")


def odd_name(handed: Handed) -> None:
    overwrite(handed.outbox / "candidates" / "late" / "::error::x\x1b[31m.json", b"{}\n")


def packed_answers(handed: Handed) -> None:
    """A zip bomb."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("labels.npy", "probabilities.npy"):
            archive.writestr(name, b"\0" * (1 << 20))
    handed.change(reference=handed.put(buffer.getvalue()))


def pickled_answers(handed: Handed) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, labels=np.array([object()]), probabilities=np.zeros((100, 2)))
    handed.change(reference=handed.put(buffer.getvalue()))


def boundless_answers(handed: Handed) -> None:
    """A header that promises more rows than any memory holds, and a record that says so too."""
    rows = 1 << 61
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, shape in (("labels", f"({rows},)"), ("probabilities", f"({rows}, 2)")):
            header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
            head = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
            archive.writestr(f"{name}.npy", head + header.encode())
    handed.change(reference=handed.put(buffer.getvalue()), rows={"train": 1, "holdout": rows})


def changed(name: str, meddle: Callable[[Any], Any]) -> Meddle:
    return lambda handed: handed.change_json(name, meddle)


def fields(**values: Any) -> Meddle:
    return lambda handed: handed.change(**values)


def signature(**values: Any) -> Meddle:
    return lambda handed: handed.change(signature={**handed.candidate["signature"], **values})


HOSTILE: dict[str, tuple[Meddle, str]] = {
    "a swapped graph": (swapped, "not what its digest says"),
    "another model": (another_model, "no model that this job was asked about"),
    "another lock's name": (another_lock, "its record is that of lock"),
    "a lock of other code": (renamed, "not that of the checkout: code train.py changed"),
    "another interpreter": (another_interpreter, "environment python"),
    "a package of ours is missing": (without_a_package, "environment onnxruntime absent"),
    "a blob that is not there": (missing_blob, "reference answers was not handed over"),
    "a digest that is a path": (fields(onnx="../../etc/passwd"), "has no digest"),
    "a link for a record": (linked_record, "cannot be opened"),
    "a link for a folder": (linked_folder, "cannot be opened"),
    "a link for a blob": (linked_blob, "cannot be opened"),
    "a FIFO": (pipe, "is no plain file"),
    "a record of two megabytes": (huge, "2097152 bytes, and 1048576 are allowed"),
    "JSON without a floor": (deep, "nested too deeply"),
    "NaN": (not_a_number, "NaN is no JSON"),
    "a name twice": (twice, "has the name 'commit' twice"),
    "another spelling": (spelled_otherwise, "not spelled as mlops-ci spells it"),
    "more candidates than locks": (too_many, "more than 10 files"),
    "a name for a terminal": (odd_name, "there is no candidate ::error::x\\x1b[31m.json"),
    "an unknown field": (fields(evil=1), "'evil' is unknown"),
    "a wrong type": (fields(seconds="1"), "seconds is a text"),
    "another commit": (fields(commit="0" * 40), "its commit is"),
    "time that runs backwards": (fields(seconds=-1.0), "when or how long"),
    "no moment": (fields(trained_at="yesterday"), "when or how long"),
    "no rows": (fields(rows={"train": 0, "holdout": 100}), "counts no rows"),
    "a long text": (fields(machine={"processor": "x" * 5000}), "too long"),
    "another task": (signature(task="regression", classes=[]), "task or threshold"),
    "another threshold": (signature(threshold=0.01), "task or threshold"),
    "one class": (signature(classes=[1]), "its classes"),
    "columns of one name": (signature(inputs=[{"name": "age", "kind": "number"}] * 2), "two of one name"),
    "answers that are packed": (packed_answers, "it is packed"),
    "answers that are pickled": (pickled_answers, "reference answers are none"),
    "answers without an end": (boundless_answers, "cut off"),
    "a profile of another shape": (changed("profile", lambda value: {**value, "rows": "all"}), "profile is of another"),
    "diagnostics of another shape": (changed("diagnostics", lambda value: {"gap": []}), "diagnostics is of another"),
    "probes of another shape": (changed("probes", lambda value: {**value, "kinds": []}), "probes are of"),
    "probes of a kind of its own": (
        changed("probes", lambda value: {**value, "kinds": ["evil"] * len(value["kinds"])}), "probes are of",
    ),
    "probes that changed what is no name": (
        changed("probes", lambda value: {**value, "changes": [[["x"]]] * len(value["kinds"])}), "probes are of",
    ),
    "probes of other columns": (changed("probes", lambda value: {**value, "columns": {}}), "probes are of"),
}  # fmt: skip


@pytest.mark.parametrize(("meddle", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_what_cannot_be_proved_is_refused_by_name(handed: Handed, meddle: Meddle, reason: str) -> None:
    admitted = [{"model": "late", "lock": handed.lock}]
    meddle(handed)
    answer = handed.admit()
    assert answer.code == 16, answer.said
    assert any(reason in one["reason"] for one in answer.value["refused"]), answer.value["refused"]
    # in these the candidate of the checkout is there as well, and as it should be
    good = ["a lock of other code", "another model", "another lock's name", "a name for a terminal",
            "a package of ours is missing"]  # fmt: skip
    whole = meddle in [HOSTILE[name][0] for name in good]
    assert answer.value["admitted"] == (admitted if whole else [])
    assert bool(handed.stored()) == whole
    assert "\x1b" not in answer.stderr


@pytest.mark.parametrize(
    "path", [f"events/late/{1}.json", f"releases/{'a' * 64}.json", "versions/late/1.json", "condemned/x", "surprise"]
)
def test_records_that_no_such_job_writes_stop_everything(handed: Handed, path: str) -> None:
    overwrite(handed.outbox / path, b"{}\n")
    answer = handed.admit()
    assert answer.code == 16
    assert path.partition("/")[0] in answer.error["what"]
    assert handed.stored() == set()


def test_what_the_job_says_of_its_own_model_stays_behind(handed: Handed) -> None:
    assert list((handed.outbox / "evaluations" / "late").iterdir())
    assert handed.admit().code == 0
    assert not any(path.startswith(("evaluations/", "looks/")) for path in handed.stored())


def test_a_model_without_a_graph_is_left(handed: Handed) -> None:
    handed.change(onnx=None, refusal="KNNImputer: it cannot be converted")
    answer = handed.admit()
    assert (answer.code, answer.value["admitted"]) == (0, [])
    assert "could not be converted" in answer.value["left"][0]["reason"]


def test_a_checkout_that_moved_on_takes_nothing(handed: Handed) -> None:
    handed.team.edit("train.py", "StandardScaler())", "StandardScaler(with_mean=False))")
    answer = handed.admit()
    assert answer.code == 16
    assert "code train.py changed" in answer.value["refused"][0]["reason"]


def test_an_empty_outbox_is_no_error(handed: Handed) -> None:
    """As where the store had everything already; then there is no artifact to download either."""
    (handed.team.folder / "empty").mkdir()
    answer = handed.team.run("admit", "empty")
    assert (answer.code, answer.value["left"][0]["reason"]) == (0, "nothing was handed over")
    assert handed.team.run("admit", "absent").value == answer.value


# The code of the checkout.

PLANTED = "from pathlib import Path\nPath({place!r}).write_text('code of the checkout ran')\n"


def test_no_code_of_the_checkout_runs(handed: Handed, tmp_path: Path) -> None:
    """The installed command, started in the checkout itself, with everything there that Python likes to pick up."""
    place, team = tmp_path / "it-ran", handed.team
    for name in (
        "sitecustomize.py",
        "usercustomize.py",
        "conftest.py",
        "json.py",
        "onnxruntime.py",
        "mlops_ci/__init__.py",
    ):
        team.write(name, PLANTED.format(place=str(place)))
    # of these the lock holds the digest, so the candidate is not of this checkout; that has to be found out first
    admit = "import sys; from mlops_ci.cli.main import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-P", "-c", admit, "admit", "outbox", "--json"], cwd=team.folder, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 16, done.stderr
    assert "code conftest.py" in done.stdout
    assert not place.exists()


def test_a_candidate_is_proved_without_running_its_own_code(handed: Handed, tmp_path: Path) -> None:
    """As above, but the planted code is what was trained, so that it is proved to the end."""
    place, team = tmp_path / "it-ran", handed.team
    team.edit("train.py", "def build_model", f"{PLANTED.format(place=str(place))}\n\ndef build_model")
    team.commit("planted")
    assert team.run("ci", "--outbox", "outbox2").code == 0
    place.unlink()
    admitted = team.run("admit", "outbox2")
    assert admitted.code == 0, admitted.said
    assert len(admitted.value["admitted"]) == 1
    assert not place.exists()


def test_python_must_not_look_for_modules_in_the_checkout(handed: Handed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(handed.team.folder))
    answer = handed.admit()
    assert answer.code == 2
    assert "would run here" in answer.error["what"]


# Whose pull request it is.


def event(path: Path, base: str, head: str | None) -> dict[str, str]:
    repository = None if head is None else {"full_name": head}
    value = {"repository": {"full_name": base}, "pull_request": {"number": 1, "head": {"repo": repository}}}
    path.write_text(json.dumps(value))
    return {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(path)}


@pytest.mark.parametrize("head", ["mallory/models", "acme/models-fork", None])
def test_what_a_fork_trained_is_never_kept(
    handed: Handed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: str | None
) -> None:
    for name, value in event(tmp_path / "event.json", "acme/models", head).items():
        monkeypatch.setenv(name, value)
    answer = handed.admit()
    assert answer.code == 16
    assert "a fork" in answer.error["what"]
    assert handed.stored() == set()


def test_a_pull_request_of_the_repository_itself_is_fine(
    handed: Handed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in event(tmp_path / "event.json", "acme/models", "Acme/models").items():
        monkeypatch.setenv(name, value)
    assert handed.admit().code == 0


def test_a_run_whose_event_nobody_can_tell_keeps_nothing(handed: Handed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert handed.admit().code == 2
