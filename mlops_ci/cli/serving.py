"""The graph that `serve` and `score` use, and running the scoring service in the foreground."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mlops_ci.adapters.service_command import ModelFiles, service_arguments
from mlops_ci.cli.command import Outcome
from mlops_ci.cli.context import Context
from mlops_ci.cli.delivery import chosen_release
from mlops_ci.config.types import ModelConfig
from mlops_ci.core.digest import canonical_json
from mlops_ci.core.records import CARD_FILE, MODEL_FILE, SIGNATURE_FILE
from mlops_ci.core.signature import Signature
from mlops_ci.errors import ConfigurationError, NotFoundError, OutsideError, ParityError


@dataclass(frozen=True, kw_only=True)
class Servable:
    """A graph to answer with. A candidate that is not released yet has version 0 and its lock in place of a release."""

    graph: bytes
    signature: Signature
    release: str
    version: int
    card: bytes | None = None

    @property
    def name(self) -> str:
        return f"version {self.version}" if self.version else f"the candidate of lock {self.release[:12]}"

    @property
    def files(self) -> Mapping[str, bytes]:
        card = {} if self.card is None else {CARD_FILE: self.card}
        return {MODEL_FILE: self.graph, SIGNATURE_FILE: canonical_json(self.signature.to_json()), **card}


def servable(context: Context, config: ModelConfig, arguments: argparse.Namespace) -> Servable:
    """What the arguments name; else the champion, else the newest release, else the candidate of the present lock."""
    try:
        release = chosen_release(context, config, arguments)
    except NotFoundError:
        if arguments.release or arguments.model_version is not None:
            raise
        return _candidate(context, config)
    signature = Signature.from_json(json.loads(context.registry.get_blob(release.files[SIGNATURE_FILE])))
    graph = context.registry.get_blob(release.files[MODEL_FILE])
    card = context.registry.get_blob(release.files[CARD_FILE]) if CARD_FILE in release.files else None
    return Servable(graph=graph, signature=signature, release=release.id, version=release.version, card=card)


def serve_release(context: Context, config: ModelConfig, arguments: argparse.Namespace) -> Outcome:
    """Runs the service in this process until it is interrupted."""
    from mlops_ci.scoring.__main__ import main as scoring_main

    if arguments.workers is not None and arguments.workers < 1:
        raise ConfigurationError(f"--workers is {arguments.workers}", fix="at least 1")
    chosen = servable(context, config, arguments)
    context.console.say(f"{config.model}: {chosen.name} (Ctrl-C ends it)")
    with tempfile.TemporaryDirectory() as folder:
        for name, data in chosen.files.items():
            (Path(folder) / name).write_bytes(data)
        code = scoring_main(
            service_arguments(
                chosen.release,
                replace(config.serving, workers=arguments.workers or config.serving.workers),
                files=ModelFiles(folder=Path(folder), model=config.model, version=chosen.version),
                host=arguments.host,
                port=arguments.port,
                log=context.directory / arguments.log if arguments.log else None,
            )
        )
    if code:
        raise OutsideError("the scoring service could not start", fix="its last words are above")
    value = {"model": config.model, "release": chosen.release, "version": chosen.version, "outcome": "stopped"}
    return Outcome(value=value, text="stopped")


def _candidate(context: Context, config: ModelConfig) -> Servable:
    from mlops_ci.pipeline.locking import compute_lock

    lock = compute_lock(config, context.data, context.user_code, context.installed)
    candidate = context.registry.find_candidate(config.model, lock.digest)
    if candidate is None:
        raise NotFoundError(f"{config.model} has no release and no candidate yet", fix=f"mlops-ci ci {config.model}")
    if candidate.onnx is None:
        raise ParityError(f"the candidate has no ONNX graph: {candidate.refusal}")
    graph = context.registry.get_blob(candidate.onnx)
    return Servable(graph=graph, signature=candidate.signature, release=lock.digest, version=0)
