"""What is said where a library that only an extra brings is not installed."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from mlops_ci.adapters.conformal import MapieConformal
from mlops_ci.adapters.shap_values import ShapExplainer
from mlops_ci.errors import ConfigurationError


@pytest.mark.parametrize(
    ("library", "adapter", "key"),
    [("shap", ShapExplainer, "shap"), ("mapie", MapieConformal, "prediction_intervals")],
)
def test_the_key_and_the_line_that_installs_it(
    library: str, adapter: Callable[[], object], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)  # Python's own mark of what cannot be imported
    with pytest.raises(ConfigurationError) as raised:
        adapter()

    assert f"train.diagnostics.{key} needs" in raised.value.what
    assert raised.value.fix == f"pip install 'mlops-ci[{library}]', or remove the key"
    assert raised.value.exit_code == 2
