"""What `shared` names is hashed file by file, and what names nothing is refused."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from mlops_ci.adapters.shared_files import shared_digests
from mlops_ci.errors import ConfigurationError


@pytest.fixture
def model(tmp_path: Path) -> Path:
    for name in ("libs/text/words.py", "libs/text/.hidden", "libs/text/__pycache__/x.pyc", "libs/a.sql", "libs/b.sql"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    folder = tmp_path / "models" / "rain"
    folder.mkdir(parents=True)
    (folder / "vocabulary.json").write_text("[]")
    return folder


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ([], []),
        (["vocabulary.json"], ["vocabulary.json"]),
        (["../../libs/text"], ["../../libs/text/words.py"]),
        (["../../libs/*.sql"], ["../../libs/a.sql", "../../libs/b.sql"]),
        (["../../libs/**/*.py", "../../libs/text"], ["../../libs/text/words.py"]),
        (["../../lib[s]/*"], ["../../libs/a.sql", "../../libs/b.sql", "../../libs/text/words.py"]),
    ],
)
def test_files_folders_and_patterns(model: Path, patterns: list[str], names: list[str]) -> None:
    found = shared_digests(model, patterns)
    assert list(found) == names
    assert all(digest == sha256((model / name).read_bytes()).hexdigest() for name, digest in found.items())


def test_what_names_nothing_is_refused_all_at_once(model: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        shared_digests(model, ["gone.txt", "vocabulary.json", "../../libs/*.rs"])
    assert ["gone.txt" in str(p) or "*.rs" in str(p) for p in caught.value.problems] == [True, True]
