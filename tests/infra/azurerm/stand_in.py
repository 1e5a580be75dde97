"""The stand-in for the AzureRM provider as a process, and `terraform` that is told to talk to it.

One process serves all commands of a run of the tests: to start it anew for each, as Terraform does with providers that
it finds in a folder, takes longer than all else that they do. It needs an environment of its own, which
`.ci/services up` makes below build/. Where it is not there the tests of Azure's modules are skipped; where CI is set
they fail.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.docker_engine import missing
from tests.infra.terraform import Installation, Terraform

PYTHON = Path(__file__).parents[3] / "build/azurerm/bin/python"
PROGRAM = Path(__file__).with_name("provider.py")


@dataclass(frozen=True, kw_only=True)
class Azure:
    """`terraform`, and the variable of the environment by which it finds the stand-in."""

    installation: Installation
    environment: Mapping[str, str]

    def terraform(self, folder: Path) -> Terraform:
        return Terraform(folder=folder, installation=self.installation, environment=self.environment)


@contextmanager
def azure_stand_in(installation: Installation, folder: Path) -> Iterator[Azure]:
    """Runs the stand-in until the end of the block; what it needs on disk is made in `folder`."""
    if not PYTHON.exists():
        missing("there is no environment for the stand-in of the AzureRM provider")
    # It ends when its input does, also where the tests are killed.
    with subprocess.Popen(
        [str(PYTHON), str(PROGRAM), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, "the stand-in did not start: see its error above"
        attached = {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": process.pid,
            "Test": True,
            "Addr": {"Network": "unix", "String": address},
        }
        name = _full_name(installation, folder)
        yield Azure(installation=installation, environment={"TF_REATTACH_PROVIDERS": json.dumps({name: attached})})
        process.stdin.close()


def _full_name(installation: Installation, folder: Path) -> str:
    """What Terraform makes of `hashicorp/azurerm`, with the host that it takes it to be at."""
    asks = 'terraform {\n  required_providers {\n    azurerm = { source = "hashicorp/azurerm" }\n  }\n}\n'
    (folder / "main.tf").write_text(asks)
    said = Terraform(folder=folder, installation=installation).said("providers", "-no-color")
    found = re.search(r"provider\[(\S+/hashicorp/azurerm)\]", said)
    assert found, said
    return found[1]
