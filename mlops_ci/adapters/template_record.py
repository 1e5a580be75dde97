"""What a repository remembers of the template that it was made from, in two files at its root.

`.mlops-template.yaml` says kind, version and answers, for people too. `.mlops-template.zip` has the pristine text of
every file as the template last gave it, and of binary ones the digest: what a three-way merge starts from, without
network and without the toolkit of then.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from mlops_ci import __version__
from mlops_ci.adapters.zip_archive import archive_bytes
from mlops_ci.errors import ConfigurationError

ANSWERS_FILE = ".mlops-template.yaml"
PRISTINE_FILE = ".mlops-template.zip"
RECORDS = frozenset({ANSWERS_FILE, PRISTINE_FILE})
_DIGESTS = "digests.json"
_TEXT = "text/"
_DIGEST = b"sha256 "
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    AttributeError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)
_LARGEST = 10_000_000  # bytes, of one file and of all; templates have a hundredth of it
_MOST_LINES_OF_TEXT = 200_000  # bytes: a longer file is data, whatever it is made of


@dataclass(frozen=True, kw_only=True)
class Record:
    """`pristine` is what the template gave, each file whole or `reduced`; None where it is unknown.

    `own` are paths that the team has taken over: the template never touches them again.
    """

    kind: str
    answers: Mapping[str, str]
    toolkit: str = __version__
    own: frozenset[str] = frozenset()
    pristine: Mapping[str, bytes] | None = field(default=None, repr=False)


def is_text(data: bytes) -> bool:
    """Whether it is merged line by line; anything else is taken or left whole."""
    if len(data) > _MOST_LINES_OF_TEXT or b"\0" in data:
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def reduced(data: bytes) -> bytes:
    """The file as a record keeps it: text as it is, anything else as its digest."""
    return data if is_text(data) else _DIGEST + sha256(data).hexdigest().encode()


def is_digest(data: bytes) -> bool:
    """Whether it stands for a file that is no text."""
    return data.startswith(_DIGEST)


def record_files(record: Record) -> dict[str, bytes]:
    """The two files, the same bytes for the same record."""
    import yaml

    about: dict[str, Any] = {"kind": record.kind, "toolkit": record.toolkit, "answers": dict(record.answers)}
    if record.own:
        about["own"] = sorted(record.own)
    files = dict(sorted((record.pristine or {}).items()))
    kept = {name: reduced(data) for name, data in files.items()}
    digests = {name: data.decode() for name, data in kept.items() if is_digest(data)}
    members = [(_DIGESTS, json.dumps(digests, indent=1).encode())]
    members += [(f"{_TEXT}{name}", data) for name, data in kept.items() if not is_digest(data)]
    return {
        ANSWERS_FILE: yaml.safe_dump(about, sort_keys=False, allow_unicode=True).encode(),
        PRISTINE_FILE: archive_bytes(members),
    }


def read_record(read: Callable[[str], bytes | None]) -> Record | None:
    """The record of a repository whose files `read` gives; None where it was made from no template.

    Raises ConfigurationError where one of the two files is not as the toolkit writes it.
    """
    import yaml

    text = read(ANSWERS_FILE)
    if text is None:
        return None
    try:
        about = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise _unusable(ANSWERS_FILE, "it is no YAML") from error
    archive = read(PRISTINE_FILE)
    return _sound(about, None if archive is None else _pristine(archive))


def _sound(about: Any, pristine: Mapping[str, bytes] | None) -> Record:
    about = about if isinstance(about, dict) else {}
    kind, toolkit, answers, own = (about.get(key) for key in ("kind", "toolkit", "answers", "own"))
    own = [] if own is None else own
    texts = isinstance(answers, dict) and isinstance(own, list)
    if not texts or not all(isinstance(text, str) for text in (kind, toolkit, *answers, *answers.values(), *own)):
        raise _unusable(ANSWERS_FILE, "it needs kind, toolkit and answers, all texts, and `own` is a list of paths")
    return Record(kind=kind, answers=answers, toolkit=toolkit, own=frozenset(own), pristine=pristine)


def _pristine(archive: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            members = opened.infolist()
            if sum(member.file_size for member in members) > _LARGEST:
                raise _unusable(PRISTINE_FILE, "it is larger than any template")
            found = {member.filename: opened.read(member) for member in members}
        digests = json.loads(found.pop(_DIGESTS))
        files = {name.removeprefix(_TEXT): data for name, data in found.items()}
        files |= {name: str(digest).encode() for name, digest in digests.items()}
    except _BROKEN as error:
        raise _unusable(PRISTINE_FILE, "it is not as mlops-ci wrote it") from error
    strange = [name for name in files if not _is_inside(name)]
    if strange:
        raise _unusable(PRISTINE_FILE, "it names files outside of the repository")
    return files


def _is_inside(name: str) -> bool:
    parts = name.split("/")
    return "\\" not in name and "\0" not in name and not {"", ".", "..", ".git"} & {part.lower() for part in parts}


def _unusable(name: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"{name} cannot be used: {what}", where=name, fix=f"git log -- {name}, and restore it")
