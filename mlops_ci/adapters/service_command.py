"""The arguments that a scoring service is started with, the same whoever starts it and wherever it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath

from mlops_ci.core.serving import LogConfig, ServingConfig

MODULE = "mlops_ci.scoring"
STANDARD_OUTPUT = PurePosixPath("-")
"""The place of a prediction log where a platform collects what its containers write."""


@dataclass(frozen=True, kw_only=True)
class ModelFiles:
    """What an image knows by itself, and a service outside of one has to be told."""

    folder: PurePath
    model: str
    version: int


def service_arguments(
    release: str,
    serving: ServingConfig,
    *,
    files: ModelFiles | None = None,
    host: str = "",
    port: int | None = None,
    log: PurePath | None = None,
    announce: PurePath | None = None,
    base_path: str = "",
) -> list[str]:
    """What comes after `python -m mlops_ci.scoring`; what is left out is the service's own default.

    `release` is the release's id. The paths are as the service itself sees them. Every argument is one `--name=value`,
    so that no value is taken for an option.
    """
    options: list[tuple[str, object]] = []
    if files is not None:
        options += [("files", files.folder), ("model", files.model), ("version", files.version)]
    options.append(("release", release))
    if host:
        options.append(("host", host))
    if port is not None:
        options.append(("port", port))
    if base_path:
        options.append(("base-path", base_path))
    if serving.workers != ServingConfig.workers:
        options.append(("workers", serving.workers))
    if log is not None:
        options += [("log", log), *_log_options(serving.log, kept=log != STANDARD_OUTPUT)]
    if announce is not None:
        options.append(("announce", announce))
    return [f"--{name}={value}" for name, value in options]


def _log_options(log: LogConfig, *, kept: bool) -> list[tuple[str, object]]:
    """What is written, and how much of it is kept where the service itself keeps it."""
    written: list[tuple[str, object]] = [
        ("log-sample", log.sample), *(("log-redact", column) for column in log.redact)
    ]  # fmt: skip
    return [*written, ("log-max-mb", log.max_mb), ("log-keep", log.keep)] if kept else written


def cluster_arguments(release: str, environment: str, model: str, serving: ServingConfig) -> list[str]:
    """Of a service that others reach through a load balancer, and whose output the platform collects."""
    return service_arguments(release, serving, log=STANDARD_OUTPUT, base_path=path_of(environment, model))


def path_of(environment: str, model: str) -> str:
    """Below which path all addresses of the model in the environment lie."""
    return f"/{environment}/{model}"
