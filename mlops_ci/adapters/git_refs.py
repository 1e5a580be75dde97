"""Reads what is kept as blobs under refs of a Git repository, however much it is, with two commands."""

from __future__ import annotations

from pathlib import Path

from mlops_ci.adapters.processes import run


def read_refs(root: Path, prefix: str) -> dict[str, bytes]:
    """What is kept under each ref below `prefix`, by the ref's name; nothing under one that names no blob."""
    listed = run(["git", "for-each-ref", "--format=%(objectname) %(refname)", prefix], cwd=root).stdout
    names = {name: blob for blob, name in (line.split(b" ", 1) for line in listed.splitlines())}
    blobs = _read_blobs(root, sorted(set(names.values())))
    return {name.decode(errors="surrogateescape"): blobs[blob] for name, blob in names.items()}


def _read_blobs(root: Path, objects: list[bytes]) -> dict[bytes, bytes]:
    """The content of each object by its hash, in the format of `git cat-file --batch`: a line that says its kind and
    size, then the content and a newline.
    """
    rest = run(["git", "cat-file", "--batch"], cwd=root, input=b"\n".join([*objects, b""])).stdout if objects else b""
    found: dict[bytes, bytes] = {}
    for name in objects:
        head, _, rest = rest.partition(b"\n")
        _, kind, size = head.split(b" ")
        found[name], rest = rest[: int(size)] if kind == b"blob" else b"", rest[int(size) + 1 :]
    return found
