"""The workflow files of a repository, read for looking at and nothing else."""

from __future__ import annotations

from pathlib import Path

from mlops_ci.core.workflow import Workflow

FOLDER = ".github/workflows"
LARGEST = 1_000_000
"""Bytes; GitHub itself takes far smaller ones only."""


def read_workflows(top: Path) -> list[Workflow]:
    """All of the repository whose top is that folder, by name; one that cannot be read says why."""
    folder = top / FOLDER
    paths = sorted(path for path in folder.glob("*") if path.suffix in (".yml", ".yaml")) if folder.is_dir() else []
    return [_read(path, f"{FOLDER}/{path.name}") for path in paths]


def _read(path: Path, name: str) -> Workflow:
    import yaml

    try:
        if path.stat().st_size > LARGEST:
            return Workflow(path=name, text="", fault=f"it has more than {LARGEST:,} bytes")
        text = path.read_text(encoding="utf-8")
        # every scalar as text: GitHub's `on` is no boolean
        document = yaml.load(text, Loader=yaml.CBaseLoader)  # noqa: S506 - it makes nothing but texts, lists and dicts
    except OSError as error:
        return Workflow(path=name, text="", fault=error.strerror or type(error).__name__)
    except UnicodeDecodeError:
        return Workflow(path=name, text="", fault="it is no UTF-8 text")
    except (yaml.YAMLError, RecursionError) as error:
        reason = getattr(error, "problem", None) or type(error).__name__
        mark = getattr(error, "problem_mark", None)
        return Workflow(path=name, text="", fault=reason + (f" (line {mark.line + 1})" if mark else ""))
    if not isinstance(document, dict):
        return Workflow(path=name, text=text, fault="it is no mapping")
    return Workflow(path=name, text=text, document=document)
