from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_ci.adapters.user_code import PythonUserCode
from mlops_ci.errors import ConfigurationError

CODE = PythonUserCode()


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture(autouse=True)
def nothing_is_left_behind(tmp_path: Path) -> Iterator[None]:
    path, bytecode, modules = sys.path[:], sys.dont_write_bytecode, set(sys.modules)
    yield
    assert sys.path == path
    assert sys.dont_write_bytecode == bytecode
    left = [
        name for name in set(sys.modules) - modules if str(tmp_path) in str(getattr(sys.modules[name], "__file__", ""))
    ]
    assert left == []
    assert list(tmp_path.rglob("__pycache__")) == []


def failure(root: Path, entrypoint: str = "train:build_model", *arguments: object) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as raised:
        CODE.load(root, entrypoint)(*arguments)
    return raised.value


def test_calls_the_function_with_its_own_modules_at_hand(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "train.py": "from steps.first import one\n\n"
            "def build_model(n):\n    import late\n    return one() + late.two + n\n"
        },
    )
    write(root, {"steps/first.py": "def one():\n    return 1\n", "late.py": "two = 2\n"})
    assert CODE.load(root, "train:build_model")(10) == 13


def test_two_models_whose_modules_have_the_same_names_do_not_mix(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(
            tmp_path / name,
            {
                "train.py": "from shape import name\ndef build_model():\n    return name\n",
                "shape.py": f"name = '{name}'\n",
            },
        )
    first, second = (CODE.load(tmp_path / name, "train:build_model") for name in ("a", "b"))
    assert (first(), second(), first()) == ("a", "b", "a")


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    for answer in (1, 2):
        write(tmp_path, {"train.py": f"def build_model():\n    return {answer}\n"})
        assert CODE.load(tmp_path, "train:build_model")() == answer


def test_a_module_that_somebody_else_had_imported_is_theirs_again_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"train_elsewhere.py": "answer = 'old'\ndef build_model():\n    return answer\n"})
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    import train_elsewhere  # type: ignore[import-not-found]

    monkeypatch.undo()
    try:
        write(tmp_path, {"train_elsewhere.py": "answer = 'new'\ndef build_model():\n    return answer\n"})
        assert CODE.load(tmp_path, "train_elsewhere:build_model")() == "new"
        assert sys.modules["train_elsewhere"] is train_elsewhere
        assert train_elsewhere.answer == "old"
    finally:
        del sys.modules["train_elsewhere"]


def test_classes_of_the_team_can_be_pickled_within_a_session_as_parallel_fits_need(tmp_path: Path) -> None:
    write(tmp_path, {"train.py": "class Step:\n    pass\ndef build_model():\n    return Step()\n"})
    import pickle

    with CODE.session(tmp_path):
        step = CODE.load(tmp_path, "train:build_model")()
        assert type(pickle.loads(pickle.dumps(step))) is type(step)


def test_installed_packages_below_the_folder_stay_loaded(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            ".venv/lib/vendored_for_test.py": "x = 1\n",
            "train.py": "import vendored_for_test\ndef build_model():\n    return 1\n",
        },
    )
    sys.path.append(str(tmp_path / ".venv/lib"))
    try:
        CODE.load(tmp_path, "train:build_model")
        assert "vendored_for_test" in sys.modules
    finally:
        sys.path.remove(str(tmp_path / ".venv/lib"))
        sys.modules.pop("vendored_for_test", None)


@pytest.mark.parametrize(
    ("source", "where", "what"),
    [
        ("def build_model(:\n", "train.py line 1", "import train failed: SyntaxError"),
        (
            "x = 1\nimport no_such_package_here\n",
            "train.py line 2",
            "import train failed: ModuleNotFoundError: No module named 'no_such_package_here'",
        ),
        ("def f():\n    return 1 / 0\nf()\n", "train.py line 2", "import train failed: ZeroDivisionError"),
        ("import sys\nsys.exit('no')\n", "train.py line 2", "import train failed: SystemExit: no"),
        ("x = 1\n", "train.py", "there is no function build_model in train"),
        ("build_model = 3\n", "train.py", "there is no function build_model in train"),
        (
            "import json\ndef build_model():\n    return json.loads('{')\n",
            "train.py line 3",
            "train:build_model() failed: JSONDecodeError",
        ),
        (
            "def build_model():\n    raise SystemExit(2)\n",
            "train.py line 2",
            "train:build_model() failed: SystemExit: 2",
        ),
    ],
)
def test_what_goes_wrong_is_said_with_the_team_s_own_line(tmp_path: Path, source: str, where: str, what: str) -> None:
    error = failure(write(tmp_path, {"train.py": source}))
    assert (error.where, error.what[: len(what)]) == (where, what)


def test_the_innermost_own_line_is_named_also_in_another_module(tmp_path: Path) -> None:
    root = write(tmp_path, {"train.py": "from deep.down import f\ndef build_model():\n    return f()\n"})
    write(root, {"deep/down.py": "import json\n\n\ndef f():\n    return json.loads('')\n"})
    assert failure(root).where == "deep/down.py line 5"


def test_a_missing_module_and_one_that_is_not_ours(tmp_path: Path) -> None:
    assert failure(tmp_path).what == "there is no module train"
    write(tmp_path, {"json.py": "def build_model():\n    return 1\n"})
    assert failure(tmp_path, "json:build_model").what.startswith("module json is not the one of this folder")


def test_code_that_the_lock_leaves_out_may_not_be_imported(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "train.py": "from tests.shared_for_training import x\ndef build_model():\n    return x\n",
            "tests/shared_for_training.py": "x = 1\n",
        },
    )
    try:
        error = failure(tmp_path)
        assert error.what == "train imports tests/shared_for_training.py, which the lock leaves out"
    finally:
        sys.modules.pop("tests.shared_for_training", None)


def test_ctrl_c_in_the_team_s_code_is_not_taken_for_its_error(tmp_path: Path) -> None:
    write(tmp_path, {"train.py": "def build_model():\n    raise KeyboardInterrupt\n"})
    with pytest.raises(KeyboardInterrupt):
        CODE.load(tmp_path, "train:build_model")()


def test_prints_go_to_stderr_from_python_and_from_below(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(
        tmp_path,
        {
            "train.py": "import os\nprint('importing')\n\n"
            "def build_model():\n    print('python')\n    os.write(1, b'below\\n')\n"
        },
    )
    CODE.load(tmp_path, "train:build_model")()
    os.write(1, b"mine\n")
    out, err = capfd.readouterr()
    assert out == "mine\n"
    assert set(err.split()) == {"importing", "python", "below"}


def test_digests_cover_what_training_may_import_and_nothing_else(tmp_path: Path) -> None:
    code = {"train.py": "1", "features/__init__.py": "2", "features/deep/more.py": "3"}
    other = {
        "tests/test_train.py": "",
        "environments/qa/x.py": "",
        ".venv/lib/x.py": "",
        ".hidden/x.py": "",
        "node_modules/x.py": "",
        "build/x.py": "",
        "env/pyvenv.cfg": "",
        "env/x.py": "",
        "models/other/mlops.yaml": "",
        "models/other/train.py": "",
        "train.txt": "",
        "thing.egg-info/x.py": "",
    }
    root = write(tmp_path, {**code, **other, "mlops.yaml": ""})
    assert list(CODE.digests(root)) == ["features/__init__.py", "features/deep/more.py", "train.py"]
    before = CODE.digests(root)
    write(root, {"features/deep/more.py": "4"})
    after = CODE.digests(root)
    assert {name for name in after if after[name] != before[name]} == {"features/deep/more.py"}


def test_a_linked_folder_of_shared_code_counts_and_a_circle_of_links_ends(tmp_path: Path) -> None:
    write(tmp_path, {"shared/clean.py": "1", "models/a/train.py": "2", "models/a/mlops.yaml": ""})
    (tmp_path / "models/a/shared").symlink_to(tmp_path / "shared")
    (tmp_path / "shared/again").symlink_to(tmp_path / "models/a")
    names = list(CODE.digests(tmp_path / "models/a"))
    assert names == ["shared/clean.py", "train.py"]


def test_imports_are_what_comes_from_outside(tmp_path: Path) -> None:
    source = (
        "import os, json.decoder\nimport numpy.random as r\nfrom sklearn.svm import SVC\n"
        "from . import features\nfrom features import x\ndef f():\n    import yaml\n"
    )
    write(tmp_path, {"train.py": source, "features/x.py": "import pandas\n", "broken.py": "def ("})
    assert CODE.imports(tmp_path) == {"numpy", "sklearn", "yaml", "pandas"}
