"""`infer-schema`: a draft of the data schema, for a person to go on with."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ci.cli.command import Command, Outcome, model_argument, option, path_option
from mlops_ci.config.schema_types import DataSchema
from mlops_ci.config.types import ModelConfig
from mlops_ci.core.naming import shown_name
from mlops_ci.errors import ConfigurationError

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context

DEFAULT = "data.schema.yaml"


def infer(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.adapters.atomic_file import write_atomically
    from mlops_ci.config.loading import select
    from mlops_ci.pipeline.infer_schema import infer_schema

    config = select(context.directory, arguments.model, drafting=True)
    path = _destination(arguments, context, config)
    if path.exists() and not arguments.force:
        fix = "give --force to replace it (what only you can say is kept), or --output another file"
        raise ConfigurationError("there is a data schema already, and it may hold your edits", where=str(path), fix=fix)
    known = _known(config, path, context.directory)
    with context.console.working(f"looking at the data of {config.model}"):
        draft = infer_schema(config, context.data, path=path.name, known=known)
    write_atomically(path, draft.text)
    lines = [f"{path}: {len(draft.schema.columns)} columns, drafted from {draft.rows} rows; go through it once"]
    if config.data.schema is None:
        lines.append(f"add `schema: {path.name}` under `data` in {config.path.name}, so that it is read")
    lines += [f"  left out: {shown_name(name)}, which {note}" for name, note in draft.notes.items()]
    value = {
        "model": config.model,
        "path": str(path),
        "rows": draft.rows,
        "columns": len(draft.schema.columns),
        "left_out": [{"column": name, "why": note} for name, note in draft.notes.items()],
    }
    return Outcome(value=value, text="\n".join(lines))


def _destination(arguments: argparse.Namespace, context: Context, config: ModelConfig) -> Path:
    """Where `--output` says, or where the model looks for its schema."""
    if arguments.output is not None:
        given: Path = context.directory / arguments.output
        return given
    return config.root / (config.data.schema.path if config.data.schema else DEFAULT)


def _known(config: ModelConfig, path: Path, root: Path) -> DataSchema | None:
    """The decisions that people have written down: in the model's schema, else in the file that is replaced.

    Raises ConfigurationError where that file cannot be read: nobody would know which columns it called private.
    """
    from mlops_ci.config.loading import read_data_schema

    if config.data.schema is not None and config.data.schema.columns:
        return config.data.schema
    try:
        return read_data_schema(path, root=root)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=str(path)) from error


COMMANDS = (
    Command(
        name="infer-schema",
        help="draft data.schema.yaml from the data",
        run=infer,
        arguments=(
            model_argument,
            path_option("--output", help="where to (default: what data.schema names, else data.schema.yaml)"),
            option("--force", action="store_true", help="replace the file that is there"),
        ),
    ),
)
