"""The Open Inference Protocol as others understand it: its published description, and Triton's own client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import yaml

from tests.scoring.serving import ROOT, Served, served
from tests.scoring.tiny_models import TinyModel, binary, multiclass, regression

DESCRIPTION = ROOT.parent / "shared" / "data" / "open_inference_rest.yaml"
MODELS = {"binary": binary, "multiclass": multiclass, "regression": regression}


@pytest.fixture(scope="module", params=list(MODELS))
def model(request: pytest.FixtureRequest) -> TinyModel:
    return MODELS[request.param]()


@pytest.fixture(scope="module")
def service(model: TinyModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(model, tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="module")
def conforms() -> Callable[[str, Any], None]:
    """Validates a body against a schema of the published description."""
    if not DESCRIPTION.exists():
        pytest.skip(f"the protocol's description is not beside the project, at {DESCRIPTION}")
    import jsonschema

    components = yaml.safe_load(DESCRIPTION.read_text())["components"]

    def _conforms(schema: str, body: Any) -> None:
        reference = {"$ref": f"#/components/schemas/{schema}", "components": components}
        jsonschema.Draft202012Validator(reference).validate(body)

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


def test_metadata_conform(service: Served, conforms: Callable[[str, Any], None]) -> None:
    conforms("metadata_server_response", service.get("/v2/").json)
    conforms("metadata_model_response", service.get("/v2/models/delay").json)
    conforms("metadata_model_response", service.get("/v2/models/delay/versions/3").json)
    conforms("metadata_model_error_response", service.get("/v2/models/other").json)


def test_inference_conforms(service: Served, model: TinyModel, conforms: Callable[[str, Any], None]) -> None:
    conforms("inference_request", request_of(model))
    reply = service.post("/v2/models/delay/versions/3/infer", request_of(model))

    assert reply.status == 200
    conforms("inference_response", reply.json)
    for path in ("/v2/models/delay/versions/3/infer", "/v2/models/delay/versions/4/infer"):
        refused = service.post(path, {})
        assert refused.status in (400, 404)
        conforms("inference_error_response", refused.json)
        assert refused.json["error"]


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


def test_tritons_client_gets_the_native_answers(triton: Any, model: TinyModel) -> None:
    from tritonclient.http import InferRequestedOutput

    frame = model.frame.iloc[3:20]
    names = ["prediction"] if model.signature.task == "regression" else ["label", "probabilities"]
    outputs = [InferRequestedOutput(name, binary_data=False) for name in names]

    result = triton.infer("delay", tensors(model, binary_data=False), request_id="7", outputs=outputs)

    assert result.get_response()["id"] == "7"
    if model.signature.task == "regression":
        values = result.as_numpy("prediction")
        np.testing.assert_allclose(values.reshape(-1), model.estimator.predict(frame), atol=1e-6)
    else:
        labels = result.as_numpy("label").tolist()
        assert labels == model.estimator.predict(frame).tolist()
        native = model.estimator.predict_proba(frame)
        np.testing.assert_allclose(result.as_numpy("probabilities"), native, atol=1e-6)


def test_tritons_client_is_told_what_is_not_supported(triton: Any, model: TinyModel) -> None:
    from tritonclient.utils import InferenceServerException

    with pytest.raises(InferenceServerException, match="the binary tensor extension is not supported"):
        triton.infer("delay", tensors(model, binary_data=True))
    with pytest.raises(InferenceServerException, match="the binary tensor extension is not supported"):
        triton.infer("delay", tensors(model, binary_data=False))  # asks for binary outputs by default


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
