"""A custom runtime of MLServer around onnxruntime; MLServer has none of its own."""

from pathlib import Path

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse


class OnnxModel(MLModel):
    async def load(self) -> bool:
        self.session = onnxruntime.InferenceSession(
            Path(self.settings.parameters.uri), providers=["CPUExecutionProvider"]
        )
        types = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(string)": object}
        self.types = {node.name: types[node.type] for node in self.session.get_inputs()}
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        feeds = {}
        for each in payload.inputs:
            kind = self.types[each.name]
            if kind is object:
                feeds[each.name] = np.array(StringCodec.decode_input(each), dtype=object).reshape(-1, 1)
            else:
                feeds[each.name] = NumpyCodec.decode_input(each).astype(kind, copy=False)
        labels, probabilities = self.session.run(None, feeds)
        outputs = [NumpyCodec.encode_output("label", labels), NumpyCodec.encode_output("probabilities", probabilities)]
        return InferenceResponse(model_name=self.name, outputs=outputs)
