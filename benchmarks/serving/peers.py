"""The other services, each as its own documentation tells users to run it, with its defaults unless said."""

from __future__ import annotations

import json
import os
import subprocess

from benchmarks.serving import requests
from benchmarks.serving.contenders import PEERS as FOLDER
from benchmarks.serving.contenders import Contender, Dialect, Place
from benchmarks.serving.servers import Unavailable, free_port
from benchmarks.serving.workloads import PACKED, PICKLE
from mlops_ci.core.records import MODEL_FILE


def _tool(place: Place, name: str) -> str:
    return str(place.python.with_name(name))


def _served(place: Place) -> str:
    """The graph that a user of onnxruntime would serve."""
    return str(place.workload.folder / (PACKED if place.packed else MODEL_FILE))


def _environment(place: Place) -> dict[str, str]:
    return {"MODEL_FOLDER": str(place.workload.folder), "PYTHONPATH": str(FOLDER)}


def _uvicorn(app: str) -> Contender:
    what = {"sklearn": "a pickled pipeline", "onnx": "onnxruntime"}[app]
    return Contender(
        name=f"fastapi-{app}",
        title=f"FastAPI and {what}, on uvicorn",
        runtime="sklearn" if app == "sklearn" else "onnx",
        pins="fastapi",
        command=lambda place: [_tool(place, "uvicorn"), f"fastapi_{app}:app", "--port", str(place.port)],
        env=_environment,
        dialect=lambda _: Dialect(
            path="/predict", body=requests.records, answer=lambda answer: requests.from_pairs(answer["probabilities"])
        ),
        ready="/health",
        slow=app == "sklearn",
    )


def _prepare_mlserver(place: Place, implementation: str, uri: str, **settings: object) -> None:
    place.folder.mkdir(parents=True)
    ports = {"http_port": place.port, "grpc_port": free_port(), "metrics_port": free_port()}
    (place.folder / "settings.json").write_text(json.dumps({"host": "127.0.0.1", **ports, **settings}))
    model = {"name": "bench", "implementation": implementation, "parameters": {"uri": uri}}
    (place.folder / "model-settings.json").write_text(json.dumps(model))


def _mlserver_sklearn(place: Place) -> None:
    _prepare_mlserver(place, "mlserver_sklearn.SKLearnModel", str(place.workload.folder / PICKLE))


def _mlserver_onnx(place: Place) -> None:
    # without its worker process, which would cost a small model twice the time
    _prepare_mlserver(place, "mlserver_onnx.OnnxModel", _served(place), parallel_workers=0)


def _prepare_mlflow(place: Place, model: str) -> None:
    script = [str(place.python), str(FOLDER / "save_for_mlflow.py"), model, str(place.folder)]
    done = subprocess.run(script, capture_output=True, text=True, check=False, env={**os.environ, **MLFLOW})
    if done.returncode:
        raise Unavailable(f"did not save: {done.stderr.strip().splitlines()[-1][-300:]}")


def _mlflow(place: Place) -> list[str]:
    options = ["--host", "127.0.0.1", "--port", str(place.port), "--env-manager", "local"]
    return [_tool(place, "mlflow"), "models", "serve", "-m", str(place.folder), *options]


def _mlflow_environment(place: Place) -> dict[str, str]:
    # it starts its server by a name that has to be on the path
    return {**MLFLOW, "PATH": f"{place.python.parent}{os.pathsep}{os.environ['PATH']}"}


MLFLOW = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
MLSERVER_PATH = "/v2/models/bench/infer"


def _mlserver_dialect(place: Place) -> Dialect:
    body = requests.matrix if place.packed else requests.pandas_tensors
    return Dialect(path=MLSERVER_PATH, body=body, answer=requests.from_tensors)


def _mlserver_onnx_dialect(place: Place) -> Dialect:
    body = requests.plain_matrix if place.packed else requests.string_tensors
    return Dialect(path=MLSERVER_PATH, body=body, answer=requests.from_tensors)


def _mlflow_onnx_dialect(place: Place) -> Dialect:
    body = requests.rows_of_matrix if place.packed else requests.arrays
    return Dialect(path="/invocations", body=body, answer=requests.from_mlflow)


THEM: tuple[Contender, ...] = (
    _uvicorn("sklearn"),
    _uvicorn("onnx"),
    Contender(
        name="mlserver", title="MLServer, its scikit-learn runtime", runtime="sklearn", pins="mlserver",
        prepare=_mlserver_sklearn, command=lambda place: [_tool(place, "mlserver"), "start", str(place.folder)],
        dialect=_mlserver_dialect, ready="/v2/models/bench/ready", slow=True,
    ),
    Contender(
        name="mlserver-onnx", title="MLServer, a custom runtime with onnxruntime", runtime="onnx", pins="mlserver",
        prepare=_mlserver_onnx, command=lambda place: [_tool(place, "mlserver"), "start", str(place.folder)],
        env=_environment, dialect=_mlserver_onnx_dialect, ready="/v2/models/bench/ready",
    ),
    Contender(
        name="bentoml", title="BentoML, a pickled pipeline", runtime="sklearn", pins="bentoml",
        command=lambda place: [
            *(_tool(place, "bentoml"), "serve", "bentoml_sklearn:Scoring", "--host", "127.0.0.1"),
            *("--port", str(place.port), "--working-dir", str(FOLDER)),
        ],
        env=lambda place: {
            **_environment(place), "BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(place.folder)
        },
        dialect=lambda _: Dialect(
            path="/predict", body=requests.named_records("rows"), answer=requests.from_pairs
        ),
        ready="/readyz", slow=True,
    ),
    Contender(
        name="mlflow", title="mlflow models serve, scikit-learn", runtime="sklearn", pins="mlflow",
        prepare=lambda place: _prepare_mlflow(place, str(place.workload.folder / PICKLE)),
        command=_mlflow, env=_mlflow_environment,
        dialect=lambda _: Dialect(
            path="/invocations", body=requests.named_records("dataframe_records"), answer=requests.from_mlflow
        ),
        ready="/ping", slow=True,
    ),
    Contender(
        name="mlflow-onnx", title="mlflow models serve, ONNX", runtime="onnx", pins="mlflow",
        prepare=lambda place: _prepare_mlflow(place, _served(place)),
        command=_mlflow, env=_mlflow_environment, dialect=_mlflow_onnx_dialect, ready="/ping",
    ),
)  # fmt: skip
