"""A real MLflow tracking server for tests, as a process of its own: the web application that `mlflow server` runs.

`serve()` starts it; running this file is the server. It keeps everything below the folder that it is given.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

NEEDED = ("mlflow", "flask", "flask_cors", "sqlalchemy", "alembic")
MISSING = [name for name in NEEDED if find_spec(name) is None]
WHY_NOT = f"the tests' MLflow server needs {', '.join(MISSING)}" if MISSING else ""
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """The address of a server with an empty database; ready when the block begins."""
    with subprocess.Popen(
        [sys.executable, __file__, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **QUIET, "HOME": str(folder)},
        cwd=folder,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            address = server.stdout.readline().strip()
            assert address, f"the MLflow server did not start; see: {sys.executable} {__file__} {folder}"
            yield address
        finally:
            server.terminate()


def main() -> None:
    folder = Path(sys.argv[1])
    # what `mlflow server` hands its workers
    os.environ |= {
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder / 'mlflow.db'}",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(folder / "artifacts"),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
    }
    from mlflow.server import app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Silent(WSGIRequestHandler):
        def log(self, *_: object, **__: object) -> None:
            pass

    # The first request makes the database, which may take longer than clients wait for it.
    app.test_client().post("/api/2.0/mlflow/experiments/search", json={"max_results": 1})
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
