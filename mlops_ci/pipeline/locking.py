"""Makes the lock of a training from what is on disk, without running anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

import mlops_ci
from mlops_ci.config.types import ModelConfig
from mlops_ci.core.lock import Lock, differences
from mlops_ci.errors import ConfigurationError, Problem
from mlops_ci.ports import DataFiles, Installation, UserCode


def compute_lock(
    config: ModelConfig,
    data: DataFiles,
    user_code: UserCode,
    installed: Installation,
    *,
    imports: Collection[str] | None = None,
) -> Lock:
    """The digests of all that a training of this model would read now.

    The gate, the environments and the data's schema are not part of it: to change them trains nothing again.
    `imports` are taken to be what the code imports, which is then only hashed and not even parsed. Raises
    DataGateError where there are no data.
    """
    return Lock(
        model=config.model,
        code=dict(user_code.digests(config.root, config.shared)),
        data=dict(data.digests(config.data.source, config.root)),
        params=training_params(config),
        environment=dict(installed.environment(user_code.imports(config.root) if imports is None else imports)),
        toolkit=mlops_ci.__version__,
    )


def training_params(config: ModelConfig) -> dict[str, Any]:
    """The part of `mlops.yaml` that a training reads."""
    data, split, train = config.data, config.split, config.train
    return {
        "task": config.task,
        "data": {
            "source": data.source,
            "target": data.target,
            "id": data.id,
            "time": data.time,
            "group": data.group,
            "features": list(data.features),
            "prepare": data.prepare,
        },
        "split": {
            "strategy": split.strategy,
            "holdout": split.holdout,
            "seed": split.seed,
            "validation": [asdict(each) for each in split.validation],
        },
        "train": {
            "entrypoint": train.entrypoint,
            "params": _plain(train.params),
            "search": None if train.search is None else _plain(asdict(train.search)),
            "seed": train.seed,
            "threads": train.threads,
            "diagnostics": asdict(train.diagnostics),
        },
    }


def require_unchanged(before: Lock, config: ModelConfig, data: DataFiles, user_code: UserCode) -> None:
    """Raises ConfigurationError naming each code or data file that is another than when the lock was made."""
    after = Lock(
        model=before.model,
        code=dict(user_code.digests(config.root, config.shared)),
        data=dict(data.digests(config.data.source, config.root)),
        params=before.params,
        environment=before.environment,
        toolkit=before.toolkit,
    )
    changed = differences(before, after)
    if changed:
        raise ConfigurationError(
            "code or data changed while the model was trained, so nothing is kept",
            fix="train again and leave the files alone meanwhile; training itself must not write to them",
            problems=[Problem(where="", what=line) for line in changed],
        )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
