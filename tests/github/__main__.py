"""The stand-in as a process of its own: `python -m tests.github --repository BARE --port 0 --state DIR`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from threading import Event

from tests.github.serving import serving


def main() -> None:
    """Serves until it is told to end (SIGTERM or SIGINT)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", type=Path, required=True, help="a bare Git repository")
    parser.add_argument("--name", default="acme/models", help="owner/name under which it is served")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", type=Path, required=True, help="folder for address.json and state.json")
    asked = parser.parse_args()
    asked.state.mkdir(parents=True, exist_ok=True)
    owner, name = asked.name.split("/")
    over = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    with serving(asked.repository, owner=owner, name=name, port=asked.port) as hub:
        hub.saved_to = asked.state / "state.json"
        address = {"url": hub.url, "repository": hub.repository, "token": hub.token, "app_token": hub.app_token,
                   "read_token": hub.read_token}  # fmt: skip
        part = asked.state / "address.part"
        part.write_text(json.dumps(address), encoding="utf-8")
        part.replace(asked.state / "address.json")
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        over.wait()


if __name__ == "__main__":
    main()
