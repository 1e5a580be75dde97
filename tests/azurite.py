"""Azure Blob Storage for tests: Azurite, Microsoft's own stand-in, as a process that keeps everything in memory.

`.ci/services up` installs it. Where it is not there a test that asks for it is skipped, and fails in CI.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from uuid import uuid4

from tests.docker_engine import missing

PROGRAM = Path(__file__).parents[1] / "build/azurite/node_modules/azurite/dist/src/blob/main.js"
# The account that every Azurite has: public, and the same everywhere.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True, kw_only=True)
class Azurite:
    endpoint: str

    @property
    def options(self) -> dict[str, str]:
        return options(self.endpoint)

    def new_container(self) -> str:
        """Makes an empty container; returns the URL of a store in it."""
        container = f"store-{uuid4()}"
        path, version, date = f"/{ACCOUNT}/{container}", "2021-12-02", formatdate(usegmt=True)
        # "Authorize with Shared Key", Azure Storage REST API reference: the verb, eleven headers that are empty here,
        # the x-ms headers, the resource (the account stands in it twice, since it is in the path of Azurite's URLs).
        lines = ["PUT", *[""] * 11, f"x-ms-date:{date}", f"x-ms-version:{version}", f"/{ACCOUNT}{path}"]
        text = "\n".join([*lines, "restype:container"])
        signature = base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)).decode()
        request = urllib.request.Request(
            f"{self.endpoint}{path}?restype=container",
            method="PUT",
            headers={"x-ms-date": date, "x-ms-version": version, "Authorization": f"SharedKey {ACCOUNT}:{signature}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 201
        return f"az://{container}/team/store"


def options(endpoint: str) -> dict[str, str]:
    """What opens a store behind that endpoint, which may be a proxy before Azurite's own."""
    return {
        "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": KEY,
        "AZURE_STORAGE_ENDPOINT": f"{endpoint}/{ACCOUNT}",
    }


@contextmanager
def serve() -> Iterator[Azurite]:
    node = shutil.which("node")
    if node is None or not PROGRAM.exists():
        missing("Azurite is not installed" if node else "there is no program node")
    command = [node, PROGRAM, "--inMemoryPersistence", "--silent", "--blobPort", "0", "--disableTelemetry"]
    # Newer clients speak newer versions of the protocol than it knows; what is used here has not changed since.
    command += ["--skipApiVersionCheck"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                _, found, url = line.partition("successfully listens on ")
                if found:
                    break
            else:
                missing("Azurite does not start")
            yield Azurite(endpoint=url.strip())
        finally:
            process.kill()
