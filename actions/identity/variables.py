"""Where a pipeline outside of GitHub finds the identity that its forge gave the job: prints what a shell has to `eval`.

    text=$(python3 -I variables.py) && eval "$text"

The forge signs for each job who it is, and hands the job that token by a variable; the clouds' libraries want it in a
file. It runs before anything is installed, with the standard library alone, and asks nobody anything.

    MLOPS_AWS_TOKEN    with MLOPS_AWS_ROLE (its ARN) and MLOPS_AWS_REGION
    MLOPS_AZURE_TOKEN  with MLOPS_AZURE_CLIENT_ID, MLOPS_AZURE_TENANT_ID and MLOPS_AZURE_STORAGE_ACCOUNT
    MLOPS_REGISTRY     with MLOPS_REGISTRY_USERNAME and MLOPS_REGISTRY_PASSWORD: for pushing and pulling images

With `--read` it is MLOPS_AWS_READ_ROLE, MLOPS_AZURE_READ_CLIENT_ID, and no registry. What names neither role nor client
id nor registry is left out. Files are for their owner's eyes only, below RUNNER_TEMP.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

SECRETS = ("MLOPS_AWS_TOKEN", "MLOPS_AZURE_TOKEN", "MLOPS_REGISTRY_PASSWORD")
"""They are in files then; what the job starts next has no business with them."""


class IdentityError(Exception):
    """What is missing, in the words that the job's log shows."""


def exported(given: Mapping[str, str], folder: Path) -> Iterator[tuple[str, str]]:
    """The variables that the clouds' libraries read; writes the files that they name."""
    if given.get("MLOPS_AWS_ROLE"):
        yield "AWS_ROLE_ARN", given["MLOPS_AWS_ROLE"]
        yield "AWS_WEB_IDENTITY_TOKEN_FILE", _kept(folder, "aws", _needed(given, "MLOPS_AWS_TOKEN", "MLOPS_AWS_ROLE"))
        yield "AWS_ROLE_SESSION_NAME", "mlops-ci"
        yield "AWS_REGION", _needed(given, "MLOPS_AWS_REGION", "MLOPS_AWS_ROLE")
    if given.get("MLOPS_AZURE_CLIENT_ID"):
        because = "MLOPS_AZURE_CLIENT_ID"
        yield "AZURE_CLIENT_ID", given[because]
        yield "AZURE_TENANT_ID", _needed(given, "MLOPS_AZURE_TENANT_ID", because)
        yield "AZURE_FEDERATED_TOKEN_FILE", _kept(folder, "azure", _needed(given, "MLOPS_AZURE_TOKEN", because))
    if given.get("MLOPS_AZURE_STORAGE_ACCOUNT"):
        yield "AZURE_STORAGE_ACCOUNT_NAME", given["MLOPS_AZURE_STORAGE_ACCOUNT"]
    if given.get("MLOPS_REGISTRY"):
        user = _needed(given, "MLOPS_REGISTRY_USERNAME", "MLOPS_REGISTRY")
        password = _needed(given, "MLOPS_REGISTRY_PASSWORD", "MLOPS_REGISTRY")
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        _kept(folder, "config.json", json.dumps({"auths": {given["MLOPS_REGISTRY"]: {"auth": login}}}))
        yield "DOCKER_CONFIG", str(folder)


def _needed(given: Mapping[str, str], name: str, because: str) -> str:
    if not given.get(name):
        raise IdentityError(f"{because} is set, and {name} is not: this job is given no such identity")
    return given[name]


def _kept(folder: Path, name: str, text: str) -> str:
    path = folder / name
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    return str(path)


def reading(given: Mapping[str, str]) -> dict[str, str]:
    """The same with the identities that may only read, for jobs that run what nobody has read yet."""
    others = {"MLOPS_AWS_ROLE": "MLOPS_AWS_READ_ROLE", "MLOPS_AZURE_CLIENT_ID": "MLOPS_AZURE_READ_CLIENT_ID"}
    return {**given, **{name: given.get(other, "") for name, other in others.items()}, "MLOPS_REGISTRY": ""}


def main(arguments: list[str]) -> int:
    given = reading(os.environ) if arguments == ["--read"] else os.environ
    try:
        folder = Path(tempfile.mkdtemp(prefix="identity-", dir=os.environ.get("RUNNER_TEMP") or None))
        lines = [f"export {name}={shlex.quote(value)}" for name, value in exported(given, folder)]
    except (IdentityError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\n".join([*lines, f"unset {' '.join(SECRETS)}"]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
