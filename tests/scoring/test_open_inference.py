"""The Open Inference Protocol as others understand it: its published description, and Triton's own client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
import yaml

from tests.scoring.serving import ROOT, Served, served
from tests.scoring.tiny_models import TinyModel, binary, multiclass, regression

DESCRIPTION = ROOT.parent / "shared" / "data" / "open_inference_rest.yaml"
Conforms = Callable[[requests.Response], None]
MODELS = {"binary": binary, "multiclass": multiclass, "regression": regression}


@pytest.fixture(scope="module", params=list(MODELS))
def model(request: pytest.FixtureRequest) -> TinyModel:
    return MODELS[request.param]()


@pytest.fixture(scope="module")
def service(model: TinyModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(model, tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="module")
def conforms() -> Conforms:
    """Validates a request and its response against the published description. Raises what openapi-core raises."""
    if not DESCRIPTION.exists():
        pytest.skip(f"the protocol's description is not beside the project, at {DESCRIPTION}")
    from openapi_core import OpenAPI
    from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse

    # `${NAME}` in its paths is a slip: OpenAPI knows `{NAME}`
    description = yaml.safe_load(DESCRIPTION.read_text().replace("${", "{"))
    # its inferencing knows 200 and 400; what else HTTP says (404, 413 ...) has the same body
    for path, operations in description["paths"].items():
        for operation in operations.values():
            if isinstance(operation, dict) and path.endswith("/infer"):
                operation["responses"]["default"] = operation["responses"]["400"]
    published = OpenAPI.from_dict(description)

    def _conforms(reply: requests.Response) -> None:
        request = RequestsOpenAPIRequest(reply.request)
        published.validate_request(request)
        published.validate_response(request, RequestsOpenAPIResponse(reply))

    return _conforms


def request_of(model: TinyModel) -> dict[str, Any]:
    frame = model.frame.iloc[3:6]
    return {
        "id": "42",
        "inputs": [
            {
                "name": column.name,
                "shape": [len(frame), 1],
                "datatype": "FP64" if column.kind == "number" else "BYTES",
                "data": frame[column.name].tolist(),
            }
            for column in model.signature.inputs
        ],
    }


@pytest.mark.parametrize(
    "path",
    [
        *("/v2/", "/v2/health/live", "/v2/health/ready"),
        *("/v2/models/delay/versions/3", "/v2/models/delay/versions/3/ready"),
    ],
)
def test_what_can_be_asked_conforms(service: Served, conforms: Conforms, path: str) -> None:
    reply = requests.get(f"{service.url}{path}", timeout=60)

    assert reply.status_code == 200
    conforms(reply)


def test_inference_conforms(service: Served, model: TinyModel, conforms: Conforms) -> None:
    url, body = f"{service.url}/v2/models/delay/versions/3/infer", request_of(model)
    names = ["prediction"] if model.signature.task == "regression" else ["probabilities", "label"]
    chosen = {**body, "outputs": [{"name": names[0]}], "parameters": {"priority": 1}}
    for asked, outputs in ((body, names[::-1]), (chosen, names[:1])):
        reply = requests.post(url, json=asked, timeout=60)
        assert reply.status_code == 200
        conforms(reply)
        answer = reply.json()
        assert (answer["id"], answer["model_version"]) == ("42", "3")
        assert [output["name"] for output in answer["outputs"]] == outputs


def test_refusals_conform(service: Served, model: TinyModel, conforms: Conforms) -> None:
    wrong = request_of(model)
    wrong["inputs"][0]["shape"] = [7, 1]
    for version, status in (("3", 400), ("4", 404)):
        reply = requests.post(f"{service.url}/v2/models/delay/versions/{version}/infer", json=wrong, timeout=60)
        assert reply.status_code == status
        conforms(reply)
        assert reply.json()["error"]


@pytest.fixture
def triton(service: Served) -> Iterator[Any]:
    module = pytest.importorskip("tritonclient.http", reason="tritonclient[http] is not installed")
    client = module.InferenceServerClient(service.url.removeprefix("http://"))
    yield client
    client.close()


def test_tritons_client_sees_the_server_and_the_model(triton: Any, model: TinyModel) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("delay")
    assert triton.is_model_ready("delay", "3")
    assert not triton.is_model_ready("delay", "4")
    assert triton.get_server_metadata()["name"] == "mlops-ci"
    inputs = triton.get_model_metadata("delay")["inputs"]
    assert [entry["name"] for entry in inputs] == [column.name for column in model.signature.inputs]


@pytest.mark.parametrize("binary_out", [True, False])
@pytest.mark.parametrize("binary_in", [True, False])
def test_tritons_client_gets_the_native_answers(
    triton: Any, model: TinyModel, binary_in: bool, binary_out: bool
) -> None:
    from tritonclient.http import InferRequestedOutput

    names = ["prediction"] if model.signature.task == "regression" else ["label", "probabilities"]
    outputs = [InferRequestedOutput(name, binary_data=binary_out) for name in names]

    result = triton.infer("delay", tensors(model, binary_data=binary_in), request_id="7", outputs=outputs)

    assert result.get_response()["id"] == "7"
    assert_native(result, model)


def test_tritons_client_as_it_comes(triton: Any, model: TinyModel) -> None:
    """Binary both ways, all outputs, a version, a sequence and a timeout that mean nothing here."""
    inputs = tensors(model, binary_data=True)

    assert_native(triton.infer("delay", inputs, model_version="3", sequence_id=5, timeout=1000), model)


def test_mixed_tensors_and_other_datatypes(triton: Any, model: TinyModel) -> None:
    """Numbers as whatever type holds them, texts as JSON: rows without missing values, at whole numbers."""
    from tritonclient.http import InferInput

    frame = model.frame.iloc[3:20].copy()
    frame["distance"] = frame["distance"].round()
    inputs = []
    for name, datatype, kind in (("distance", "FP32", np.float32), ("hour", "UINT8", np.uint8)):
        tensor = InferInput(name, [len(frame)], datatype)
        tensor.set_data_from_numpy(frame[name].to_numpy().astype(kind))
        inputs.append(tensor)
    inputs.append(tensors(model, binary_data=False)[-1])

    assert_native(triton.infer("delay", inputs), model, frame)


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_a_compressed_request_is_refused_and_a_compressed_response_is_not_needed(
    triton: Any, model: TinyModel, algorithm: str
) -> None:
    from tritonclient.utils import InferenceServerException

    inputs = tensors(model, binary_data=True)
    with pytest.raises(InferenceServerException, match="a compressed body is not taken"):
        triton.infer("delay", inputs, request_compression_algorithm=algorithm)
    assert_native(triton.infer("delay", inputs, response_compression_algorithm=algorithm), model)


def test_tritons_client_is_told_what_is_wrong(triton: Any, model: TinyModel) -> None:
    from tritonclient.http import InferRequestedOutput
    from tritonclient.utils import InferenceServerException

    inputs = tensors(model, binary_data=True)
    name = "prediction" if model.signature.task == "regression" else "label"
    with pytest.raises(InferenceServerException, match="the classification extension is not supported"):
        triton.infer("delay", inputs, outputs=[InferRequestedOutput(name, class_count=2)])
    with pytest.raises(InferenceServerException, match="there is no input carrier"):
        triton.infer("delay", inputs[:2])


def assert_native(result: Any, model: TinyModel, frame: pd.DataFrame | None = None) -> None:
    frame = model.frame.iloc[3:20] if frame is None else frame
    if model.signature.task == "regression":
        values = result.as_numpy("prediction")
        assert values.shape == (len(frame), 1)
        np.testing.assert_allclose(values.reshape(-1), model.estimator.predict(frame), atol=1e-6)
        return
    labels = [label.decode() if isinstance(label, bytes) else label for label in result.as_numpy("label").tolist()]
    assert labels == model.estimator.predict(frame).tolist()
    native = model.estimator.predict_proba(frame)
    np.testing.assert_allclose(result.as_numpy("probabilities"), native, atol=1e-6)


def tensors(model: TinyModel, *, binary_data: bool) -> list[Any]:
    from tritonclient.http import InferInput

    frame = model.frame.iloc[3:20]
    inputs = []
    for column in model.signature.inputs:
        tensor = InferInput(column.name, [len(frame), 1], "FP64" if column.kind == "number" else "BYTES")
        values = frame[column.name].to_numpy().reshape(-1, 1)
        encoded = values if column.kind == "number" else np.array([[text.encode()] for [text] in values], dtype=object)
        tensor.set_data_from_numpy(encoded, binary_data=binary_data)
        inputs.append(tensor)
    return inputs
