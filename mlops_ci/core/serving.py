"""How a model's services run wherever they are started: how many processes, and what their prediction log keeps."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class LogConfig:
    """What of all requests is kept, and how much of it.

    `sample` is the share of requests, from 0 to 1; `redact` names columns whose values are never written (the private
    ones of the data schema among them). A file of the log has at most `max_mb` megabytes (of 2^20 bytes), and `keep`
    older ones stay beside it.
    """

    sample: float = 1.0
    redact: tuple[str, ...] = ()
    max_mb: int = 64
    keep: int = 1


@dataclass(frozen=True, kw_only=True)
class ServingConfig:
    """`workers` is the number of processes that share a service's port."""

    workers: int = 1
    log: LogConfig = field(default_factory=LogConfig)


@dataclass(frozen=True, kw_only=True)
class ResourceLimits:
    """The most that one service may use: `cpus` cores, and `memory_mb` megabytes (of 2^20 bytes) of memory."""

    cpus: float
    memory_mb: int
