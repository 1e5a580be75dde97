"""Commands that use a model: serve, score, monitor, retrain."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ci.cli.command import Command, Outcome, model_argument, option, path_option, release_arguments
from mlops_ci.cli.proposing import dispatch_option

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context


def serve(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.cli.serving import serve_release

    return serve_release(context, context.config(arguments.model), arguments)


def score(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.cli.serving import servable
    from mlops_ci.pipeline.dataset import prepare
    from mlops_ci.pipeline.score import score as score_file

    config = context.config(arguments.model)
    chosen = servable(context, config, arguments)
    with context.user_code.session(config.root):
        result = score_file(
            source=str(arguments.input),
            root=context.directory,
            output=context.directory / arguments.output,
            model=context.runtime.load(chosen.graph, chosen.signature),
            signature=chosen.signature,
            release=chosen.release,
            version=chosen.version,
            files=context.batch_files,
            clock=context.clock,
            prepare=(lambda frame: prepare(frame, config, context.user_code)) if config.data.prepare else None,
            schema=config.data.schema,
        )
    text = (
        f"{result.rows} rows scored by {chosen.name} into {result.output} in {result.seconds:.1f} s "
        f"({result.rows_per_second:,.0f} rows a second); {result.rejected} set aside"
    )
    if result.rejected:
        text += f" in {result.rejected_output}"
    return Outcome(value={"model": config.model, **result.to_json()}, text=text)


def monitor(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.cli.watching import monitor_model

    return monitor_model(context, context.config(arguments.model), arguments)


def retrain(arguments: argparse.Namespace, context: Context) -> Outcome:
    from mlops_ci.cli.watching import retrain_model

    data = [context.directory / path for path in arguments.data]
    config = context.config(arguments.model)
    return retrain_model(context, config, data=data, reason=arguments.reason, dispatch=arguments.dispatch)


COMMANDS = (
    Command(
        name="serve",
        help="serve a model on this machine until interrupted",
        run=serve,
        arguments=(
            model_argument,
            release_arguments,
            option("--port", type=int, default=8080, metavar="N", help="0 takes a free one (default: 8080)"),
            option("--host", default="127.0.0.1", metavar="ADDRESS", help="listen there (default: this machine only)"),
            option("--workers", type=int, metavar="N", help="processes that share the port (default: serving.workers)"),
            path_option("--log", help="keep a prediction log there, as serving.log says (default: none is kept)"),
        ),
    ),
    Command(
        name="score",
        help="score a file of rows",
        run=score,
        arguments=(
            model_argument,
            release_arguments,
            path_option("--input", required=True, help="CSV or Parquet, or a pattern for several"),
            path_option("--output", required=True, help="the Parquet file to write"),
        ),
    ),
    Command(
        name="monitor",
        help="compare newer data with what the model was trained on",
        run=monitor,
        arguments=(
            model_argument,
            option("--input", metavar="PATH", help="newer data, or a prediction log (default: data.source)"),
            option("--environment", metavar="E", help="what users sent there, by its prediction logs"),
            option("--actuals", metavar="PATH", help="CSV or Parquet: request_id, row and target of a log's requests"),
            option("--issue", action="store_true", help="keep an issue on GitHub for as long as there is an alarm"),
            release_arguments,
        ),
    ),
    Command(
        name="retrain",
        help="train on newer data and propose the result by pull request",
        run=retrain,
        arguments=(
            model_argument,
            option(
                "--data", type=Path, action="append", default=[], metavar="PATH",
                help="a file of newer data to add beside data.source; may be given several times",
            ),
            option("--reason", default="by hand", metavar="TEXT", help="why, for the log and the pull request"),
            dispatch_option(),
        ),
    ),
)  # fmt: skip
