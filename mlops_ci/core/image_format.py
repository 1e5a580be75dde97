"""How a scoring image is laid out: where things are in it, what it says of itself, and its configuration, as bytes.

An image's id is the digest of its configuration, so that nothing in it may depend on when, where or by whom it is
built. Source: the OCI image specification 1.1 (`config.md`, `annotations.md`) and Docker's image specification 1.2,
from which the health check is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_ci.core.digest import canonical_json

ROOT = "opt/mlops-ci"
BYTECODE = f"{ROOT}/bytecode"
MODEL_FOLDER = "model"
PORT = 8080
USER = "10001:10001"
EPOCH = "1970-01-01T00:00:00Z"
OWN_LABELS = "io.mlops-ci."
SECOND = 1_000_000_000
"""Docker gives spans of time in nanoseconds."""

ENVIRONMENT = {
    # Python would take ASCII for the encoding of files and arguments where a base says nothing.
    "LC_ALL": "C.UTF-8",
    # onnxruntime reports to its maker, and keeps a device id in the home folder, unless it is told not to.
    "ORT_DISABLE_TELEMETRY": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": f"/{ROOT}",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Whose image it is; `created` is the commit's time (RFC 3339), `source` the repository's address or empty."""

    model: str
    version: int
    lock: str
    commit: str
    created: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Foundation:
    """What of the base the configuration depends on."""

    name: str
    reference: str
    digest: str
    platform: str
    layers: Sequence[str]
    configuration: Mapping[str, Any]
    python: str


def build_record(
    identity: Identity, base: Foundation, *, files: Mapping[str, str], dependencies: str, service: str
) -> bytes:
    """The `build.json` of the image: all that it is made of. `files` are digests by name, the last two diff ids."""
    return canonical_json(
        {
            "model": identity.model,
            "version": identity.version,
            "lock": identity.lock,
            "commit": identity.commit,
            "base": base.reference,
            "platform": base.platform,
            "files": dict(files),
            "dependencies": dependencies,
            "service": service,
        }
    )


def configuration(
    identity: Identity,
    base: Foundation,
    *,
    model_digest: str,
    layers: Mapping[str, str],
    bytecode: bool,
) -> bytes:
    """The image's configuration, of which the digest is its id; `layers` are the diff ids of ours by name, in order."""
    system, architecture = base.platform.split("/")[:2]
    created = identity.created or EPOCH
    history = [{"created": EPOCH, "created_by": f"base {base.reference}"} for _ in base.layers]
    history += [{"created": created, "created_by": f"mlops-ci build-image: {name}"} for name in layers]
    value = {
        "architecture": architecture,
        "config": _config(identity, base, model_digest=model_digest, bytecode=bytecode),
        "created": created,
        "history": history,
        "os": system,
        "rootfs": {"type": "layers", "diff_ids": [*base.layers, *layers.values()]},
    }
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def image_id(configuration: bytes) -> str:
    return f"sha256:{hashlib.sha256(configuration).hexdigest()}"


def labels(identity: Identity, base: Foundation, *, model_digest: str) -> dict[str, str]:
    """The image's labels: the predefined annotations of the OCI specification, and ours."""
    named = {
        "title": identity.model,
        "version": str(identity.version),
        "revision": identity.commit,
        "created": identity.created or EPOCH,
        "source": identity.source,
        "description": f"The scoring service of {identity.model}, version {identity.version}.",
        "base.name": base.name,
        "base.digest": base.digest,
    }
    ours = {
        "model": identity.model,
        "version": str(identity.version),
        "lock": identity.lock,
        "model-digest": model_digest,
    }
    return {f"org.opencontainers.image.{key}": value for key, value in named.items() if value} | {
        f"{OWN_LABELS}{key}": value for key, value in ours.items()
    }


def _config(identity: Identity, base: Foundation, *, model_digest: str, bytecode: bool) -> dict[str, Any]:
    """The base's environment and labels stay, but for what it says of itself, which would be untrue of ours."""
    inherited = {
        key: value
        for key, value in (base.configuration.get("Labels") or {}).items()
        if not key.startswith(("org.opencontainers.", "org.label-schema.", OWN_LABELS))
    }
    environment = dict(line.partition("=")[::2] for line in base.configuration.get("Env") or ())
    # what a base may say of Python is meant for its own programs: it would change what ours imports and how it runs
    environment = {name: value for name, value in environment.items() if name not in _PYTHONS_OWN} | ENVIRONMENT
    if bytecode:
        environment["PYTHONPYCACHEPREFIX"] = f"/{BYTECODE}"
    run = [base.python, "-P", "-m"]
    probe = ["CMD", *run, "mlops_ci.scoring.healthcheck", str(PORT)]
    # what is not published is not reached from outside of the container
    address = ["--host", "0.0.0.0", "--port", str(PORT)]  # noqa: S104
    return {
        "Cmd": None,
        "Entrypoint": [*run, "mlops_ci.scoring", "--files", f"/{MODEL_FOLDER}", *address],
        "Env": [f"{name}={value}" for name, value in sorted(environment.items())],
        "ExposedPorts": {f"{PORT}/tcp": {}},
        # Before `StartPeriod` is over a failure does not count; the first check comes after one interval.
        "Healthcheck": {
            "Test": probe,
            "Interval": 5 * SECOND,
            "Timeout": 3 * SECOND,
            "StartPeriod": 10 * SECOND,
            "StartInterval": SECOND // 2,  # engines before 25 do not know it
            "Retries": 3,
        },
        "Labels": dict(sorted({**inherited, **labels(identity, base, model_digest=model_digest)}.items())),
        "StopSignal": "SIGTERM",
        "User": USER,
        "WorkingDir": "/",
    }


_PYTHONS_OWN = frozenset(
    {
        *("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONOPTIMIZE", "PYTHONDEBUG", "PYTHONINSPECT"),
        *("PYTHONVERBOSE", "PYTHONWARNINGS", "PYTHONPYCACHEPREFIX", "PYTHONNOUSERSITE", "PYTHONHASHSEED"),
    }
)
