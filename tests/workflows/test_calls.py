"""What an action's one line of shell really calls: run by bash, with a program in mlops-ci's place that notes it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from mlops_ci.cli.main import build_parser
from tests.workflows.documents import ROOT, action, actions

EVIL = "$(touch owned); touch owned `touch owned` \"'* ${IFS} \\"
CALLS: dict[str, Sequence[Mapping[str, str]]] = {
    "plan": ({"base": "main", "most-jobs": "7"}, {"before": "a" * 40, "desired": "true"}, {"all": "true"},
             {"model": "rain"}),
    "check": ({}, {"model": "rain"}),
    "train": ({"model": "rain"},),
    "evaluate": ({"model": "rain"},),
    "report": ({"model": "rain"},),
    "ci": ({"models": "rain hail", "outbox": "o", "reports": "r", "limits-only": "true"}, {"all": "true"}, {}),
    "admit": ({"outbox": "o", "all": "true"}, {"outbox": "o", "models": "rain hail"}),
    "publish-report": ({"reports": "r", "run-id": "7"},),
    "build-image": ({"model": "rain", "version": "3"}, {"release": "abc"}),
    "release": ({}, {"models": "rain"}),
    "promote": ({"model": "rain", "to": "production", "version": "2"}, {"pull-request": "7"},
                {"to": "x", "release": "abc"}),
    "request-promotion": ({"pull-request": "7"},),
    "reconcile": ({"model": "rain", "environment": "qa"}, {"since": "abc"}),
    "rollback": ({"model": "rain", "environment": "qa", "reason": "slow", "release": "abc"}, {"version": "2"}),
    "verify": ({"model": "rain", "environment": "qa", "rate": "5", "duration": "2s", "version": "1"},
               {"url": "http://x", "release": "abc"}),
    "monitor": (
        {"models": "rain", "environment": "qa", "actuals": "a.csv", "issue": "true", "version": "1"},
        {"input": "new.csv", "release": "abc"},
    ),
    "retrain": ({"models": "rain", "data": "new.csv", "reason": "drift", "dispatch": "pr.yml"},),
    "score": ({"model": "rain", "input": "a.csv", "output": "b.parquet", "version": "1"},
              {"input": "a", "output": "b", "release": "c"}),
    "update": ({"pull-request": "true"}, {}),
}  # fmt: skip
EVERYWHERE = {"directory", "store", "token", "app-token", "signing-key", "signing-password", "gate", "run"}
PARSER = build_parser()
NAMES = [document.name for document in actions() if document.name not in ("setup", "identity")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    program = tmp_path / "bin/mlops-ci"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        f"with open({str(tmp_path / 'calls')!r}, 'a') as stream:\n"
        "    print(json.dumps({'arguments': sys.argv[1:], 'variables': dict(os.environ)}), file=stream)\n"
    )
    program.chmod(0o755)
    return tmp_path


def called(folder: Path, name: str, given: Mapping[str, str]) -> list[dict[str, object]]:
    """Every call that the action makes, as a runner would run it with these inputs."""
    document = action(name)
    declared = document.value["inputs"]
    inputs = {key: said.get("default", "") for key, said in declared.items()} | dict(given)
    step = document.value["runs"]["steps"][0]
    variables = {key: _value(text, inputs) for key, text in step["env"].items()}
    variables |= {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "GITHUB_ACTION_PATH": str(ROOT / "actions" / name)}
    subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step["run"]], env=variables, cwd=folder, check=True, timeout=60
    )
    return [json.loads(line) for line in (folder / "calls").read_text().splitlines()]


def _value(text: str, inputs: Mapping[str, str]) -> str:
    """Just the two kinds of expressions that the actions use."""
    switch = re.fullmatch(r"\$\{\{ inputs\.([\w-]+) == 'true' && '(--[\w-]+)' \|\| '' \}\}", text)
    if switch:
        return switch[2] if inputs[switch[1]] == "true" else ""
    plain = re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", text)
    return inputs[plain[1]] if plain else text


@pytest.mark.parametrize("name", NAMES)
def test_the_command_line_takes_what_the_action_gives(folder: Path, name: str) -> None:
    tried = set()
    for given in CALLS[name]:
        everywhere = dict.fromkeys(EVERYWHERE & set(action(name).value["inputs"]), "x")
        for call in called(folder, name, everywhere | given):
            assert PARSER.parse_args(call["arguments"]).command == name
        texts = " ".join(call["arguments"])
        assert [value for value in given.values() if value != "true" and value not in texts] == []
        tried |= set(given)
    assert tried | EVERYWHERE >= set(action(name).value["inputs"])


@pytest.mark.parametrize("name", NAMES)
def test_no_input_is_more_than_one_argument(folder: Path, name: str) -> None:
    """Whatever is in it, it is neither run by the shell nor split, and never an option."""
    inputs = action(name).value["inputs"]
    switches = {key for key in inputs if f"inputs.{key} == 'true'" in action(name).text}
    lists = {"models"}
    calls = called(folder, name, {key: "" if key in switches else "-evil" if key in lists else EVIL for key in inputs})
    assert not (folder / "owned").exists()
    for call in calls:
        words = call["arguments"]
        if lists & set(inputs):
            assert "--" in words
            assert "-evil" not in words[: words.index("--")]
        given = set(inputs) - switches - lists - (EVERYWHERE - {"directory", "store"})
        assert sum(EVIL in word for word in words) == len(given)


@pytest.mark.parametrize("name", NAMES)
def test_credentials_are_no_arguments(folder: Path, name: str) -> None:
    given = {key: f"secret of {key}" for key in EVERYWHERE & set(action(name).value["inputs"]) - {"directory", "store"}}
    inputs = action(name).value["inputs"]
    needed = {key: "x" for key, said in inputs.items() if said.get("required") == "true"}
    call = called(folder, name, given | needed)[-1]
    assert "secret of" not in " ".join(call["arguments"])
    found = {value for value in call["variables"].values() if value.startswith("secret of")}
    assert found == set(given.values())


def test_several_models_are_taken_one_after_the_other(folder: Path) -> None:
    calls = called(folder, "release", {"models": "rain hail", "store": "s3://a b"})
    assert [call["arguments"] for call in calls] == [
        ["release", "-C", ".", "--store=s3://a b", "--", model] for model in ("rain", "hail")
    ]


def test_one_model_that_fails_keeps_no_other_from_its_turn(tmp_path: Path) -> None:
    """And the job ends as the first one did."""
    script = tmp_path / "fails"
    script.write_text('#!/bin/sh\necho "$2" >>seen\ncase $2 in a) exit 11 ;; b) exit 20 ;; esac\n')
    script.chmod(0o755)
    done = subprocess.run(
        [ROOT / "actions/each", script],
        env={"MODELS": "ok a b last", "PATH": os.environ["PATH"]},
        cwd=tmp_path,
        check=False,
    )
    assert (done.returncode, (tmp_path / "seen").read_text().split()) == (11, ["ok", "a", "b", "last"])
