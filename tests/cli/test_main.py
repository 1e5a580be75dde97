"""What holds for every command: help, exit codes, one JSON object on stdout, and what GitHub Actions is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_ci.cli.main import COMMANDS, main
from tests.cli.repository import CONFIG, ROOT, Repository, make_repository

HEAVY = {
    "dask", "jinja2", "joblib", "jsonschema", "matplotlib", "numpy", "obstore", "onnx", "onnxruntime", "pandas",
    "pandera", "pyarrow", "requests", "ruamel", "scipy", "skl2onnx", "sklearn", "urllib3", "uvicorn", "yaml",
}  # fmt: skip
CHILD = {**os.environ, "PYTHONPATH": str(ROOT)}


def loaded_by(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded once it has run the code."""
    script = f"import sys\ntry:\n    {code}\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=CHILD, check=False)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["--version"]], ids=" ".join)
def test_help_loads_no_heavy_library(arguments: list[str]) -> None:
    assert loaded_by(f"from mlops_ci.cli.main import main; main({arguments})") & HEAVY == set()


def test_importing_the_command_loads_no_heavy_library() -> None:
    loaded = loaded_by("import mlops_ci.cli.main")

    assert "mlops_ci" in loaded
    assert loaded & HEAVY == set()


def test_the_list_of_heavy_libraries_is_one_of_real_names() -> None:
    """`yaml` and `numpy` at least: a misspelt name would let anything through."""
    loaded = loaded_by("import numpy, yaml, pandas, requests, jsonschema, sklearn, pyarrow")

    assert {"numpy", "yaml", "pandas", "requests", "jsonschema", "sklearn", "pyarrow"} <= loaded & HEAVY


def test_help_names_every_command_and_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    assert ended.value.code == 0
    words = capsys.readouterr().out.replace(";", " ").replace(",", " ").split()
    assert {command.name for command in COMMANDS} <= set(words)
    assert {"0", "2", "3", "10", "11", "12", "13", "14", "15", "16", "20", "130"} <= set(words)


WORDS = [
    [command.name, *([action.name] if action else [])] for command in COMMANDS for action in command.actions or [None]
]


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_every_command_has_help_and_what_all_share(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])

    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in ("--json", "-C DIR", "--store URL"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "COMMAND"),
        (["trian"], "trian"),
        (["train", "--jason"], "--jason"),
        (["promote"], "--to"),
        (["score", "--version", "one", "--input", "a", "--output", "b"], "one"),
        (["serve", "--version", "1", "--release", "abcdef1"], "not allowed"),
        (["train", "--js"], "--js"),  # no abbreviations: a later option would change what they mean
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_usage_is_exit_2_in_json_too(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert says in told.err
    assert "--help" in told.err

    assert main([*arguments, "--json"]) == 2
    told = capsys.readouterr()
    value = json.loads(told.out)
    assert value["exit_code"] == 2
    assert says in value["error"]["what"]


def test_an_error_is_one_object_on_stdout_and_words_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--json", "-C", str(tmp_path / "nowhere")]) == 2

    told = capsys.readouterr()
    value = json.loads(told.out)
    assert value["error"]["kind"] == "ConfigurationError"
    assert "nowhere" in value["error"]["what"]
    assert value["error"]["fix"]
    assert told.err.startswith("error: there is no folder")


def test_progress_goes_to_stderr_and_quiet_takes_it_away(
    repository: Repository, capfd: pytest.CaptureFixture[str]
) -> None:
    repository.write("train.py", "print('hello from the team')\n" + (repository.folder / "train.py").read_text())

    assert main(["train", "--json", "-C", str(repository.folder)]) == 0
    told = capfd.readouterr()
    assert json.loads(told.out)["cached"] is False
    assert "training late on" in told.err
    assert "hello from the team" in told.err

    assert main(["train", "--json", "--quiet", "-C", str(repository.folder)]) == 0
    told = capfd.readouterr()
    assert json.loads(told.out)["cached"] is True
    assert told.err == ""


def test_text_for_people_is_on_stdout(judged: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "-C", str(judged.folder)]) == 0

    said = capsys.readouterr().out
    assert "found in the cache" in said
    assert "roc_auc 0." in said
    assert "train." not in said


def test_check_train_export_and_evaluate_answer_the_fields_that_others_rely_on(judged: Repository) -> None:
    fields = {
        "check": {"model", "ok", "problems", "rows", "data_digest"},
        "train": {"model", "lock", "cached", "candidate", "metrics", "seconds"},
        "export": {"onnx", "digest", "parity"},
        "evaluate": {"model", "verdict", "ships", "reasons", "primary", "guardrails", "slices", "looks"},
        "history": {"events"},
    }
    for command, expected in fields.items():
        answer = judged.run(command)
        assert answer.code == 0, answer.said
        assert expected <= answer.value.keys()
    evaluated = judged.run("evaluate").value
    assert evaluated["primary"].keys() >= {
        "metric", "champion", "challenger", "difference", "lower", "upper", "alpha", "margin",
        "minimum_detectable_effect", "rows", "rows_needed",
    }  # fmt: skip
    assert evaluated["looks"].keys() == {"used", "allowed"}
    assert judged.run("export").value["parity"].keys() >= {"rows", "max_abs_diff", "flips", "ok"}


def test_a_defect_of_ours_is_reported_as_one(judged: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    from mlops_ci.cli import steps

    original = steps._check
    steps._check = lambda run: 1 / 0  # type: ignore[assignment,return-value]
    try:
        answer = judged.run("check")
    finally:
        steps._check = original
    assert answer.code == 3
    assert "unexpected ZeroDivisionError" in answer.error["what"]
    assert "report it" in answer.error["fix"]
    assert "Traceback" in answer.stderr


def test_paths_are_relative_to_the_folder_of_c(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["train", "--json", "-C", "team", "--store", "elsewhere"]) == 0
    assert (repository.folder / "elsewhere" / "candidates").is_dir()
    assert not (tmp_path / "elsewhere").exists()
    assert not repository.store.exists()


def test_the_store_may_come_from_the_environment(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_STORE", str(repository.folder / "mine"))

    assert repository.run("train").code == 0
    assert (repository.folder / "mine" / "candidates").is_dir()


@pytest.fixture
def actions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """GitHub Actions, as a step sees it: a folder with its two files."""
    for name, value in {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": "output", "GITHUB_STEP_SUMMARY": "summary"}.items():
        monkeypatch.setenv(name, value if value == "true" else str(tmp_path / value))
    return tmp_path


def outputs(folder: Path) -> dict[str, str]:
    """The output file, read as the runner reads it."""
    found, lines = {}, iter((folder / "output").read_text(encoding="utf-8").splitlines())
    for line in lines:
        name, _, mark = line.partition("<<")
        value = []
        while (next_line := next(lines)) != mark:
            value.append(next_line)
        found[name] = "\n".join(value)
    return found


def test_a_step_gets_outputs_and_a_summary(judged: Repository, actions: Path) -> None:
    answer = judged.run("ci")

    assert answer.code == 0
    found = outputs(actions)
    assert found["verdict"] == "first"
    assert found["ships"] == "true"
    assert json.loads(found["primary"]) == answer.value["primary"]
    assert (actions / "summary").read_text(encoding="utf-8") == Path(
        answer.value["report"]["markdown"]
    ).read_text() + "\n"
    assert "::error" not in answer.stderr


def test_problems_of_the_configuration_are_annotations_with_file_and_line(
    repository: Repository, actions: Path
) -> None:
    repository.edit("mlops.yaml", "  id: id\n", "  idd: id\n")

    answer = repository.run("check")

    assert answer.code == 2
    assert "::error file=mlops.yaml,line=7::" in answer.stderr
    assert "failed (exit 2)" in (actions / "summary").read_text(encoding="utf-8")
    assert outputs(actions)["exit_code"] == "2"


def test_an_error_in_the_team_s_code_is_an_annotation_of_its_line(repository: Repository, actions: Path) -> None:
    repository.write("train.py", "def build_model(params):\n    raise ValueError('100%')\n")

    answer = repository.run("train")

    assert "::error file=train.py,line=2::" in answer.stderr
    assert "100%25" in answer.stderr


def test_problems_of_the_data_and_a_blocked_gate_are_annotations_too(judged: Repository, actions: Path) -> None:
    (judged.folder / "mlops.yaml").write_text(
        CONFIG.replace("alpha: 0.05}\n", "alpha: 0.05}\n  guardrails: [{metric: log_loss, max: 0.0001}]\n"),
        encoding="utf-8",
    )
    blocked = judged.run("evaluate")
    assert blocked.code == 11
    assert "::error::late: guardrail: log_loss is " in blocked.stderr

    (judged.folder / "data.csv").unlink()
    closed = judged.run("check")
    assert closed.code == 10
    assert "::error::data.csv" in closed.stderr


def test_outputs_that_cannot_be_written_are_an_error_of_the_surroundings(
    judged: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path))
    process = judged.start("train", "--json")
    _, stderr = process.communicate()

    assert process.returncode == 20
    assert "error: " in stderr
    assert "the result cannot be written: Is a directory" in stderr
    assert "Traceback" not in stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_full_disk_behind_stdout_is_no_success(judged: Repository) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mlops_ci", "history", "-C", str(judged.folder)],
            stdout=full, stderr=subprocess.PIPE, text=True, env=CHILD, check=False,
        )  # fmt: skip

    assert done.returncode == 20, done.stderr
    assert "No space left" in done.stderr


def test_a_reader_that_went_away_is_no_error(judged: Repository) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "mlops_ci", "train", "-C", str(judged.folder)],
        stdout=writing, stderr=subprocess.PIPE, text=True, env=CHILD, check=False,
    )  # fmt: skip
    os.close(writing)

    assert done.returncode == 0
    assert "Broken" not in done.stderr
    assert "Traceback" not in done.stderr


def test_several_models_are_all_tried(tmp_path: Path) -> None:
    whole = Repository(tmp_path / "team")
    for name in ("late", "later", "worst"):
        one = make_repository(whole.folder / "models" / name)
        one.edit("mlops.yaml", "model: late\n", f"model: {name}\n")
    whole.write("models/late/train.py", "def build_model(params):\n    raise ValueError('no')\n")
    (whole.folder / "models" / "worst" / "data.csv").unlink()

    answer = whole.run("ci", "--all")

    assert answer.code == 2
    found = {one["model"]: one for one in answer.value["models"]}
    assert {name: one["failed"] for name, one in found.items()} == {"late": "error", "later": None, "worst": "check"}
    assert "ValueError: no" in found["late"]["error"]["what"]
    assert found["later"]["verdict"] == "first"
    assert "error: build_model() of" in answer.stderr or "ValueError: no" in answer.stderr
    report = Path(answer.value["report"]["markdown"]).read_text(encoding="utf-8")
    assert "later" in report

    ambiguous = whole.run("ci")
    assert ambiguous.code == 2
    assert "3 models here, and none was named" in ambiguous.error["what"]
    assert whole.run("ci", "later").code == 0
