"""What is this model's own; `tests/` at the top says what holds for every model."""

import importlib.util
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def train():
    specification = importlib.util.spec_from_file_location("train_flight_delay", ROOT / "train.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_a_wrong_learner_is_named(train) -> None:
    with pytest.raises(ValueError, match=r"learner is 'forest'; it must be one of boosting, logistic"):
        train.build_model({"learner": "forest"})


def test_nothing_that_is_known_only_afterwards_is_a_feature() -> None:
    features = yaml.safe_load((ROOT / "mlops.yaml").read_text(encoding="utf-8"))["data"]["features"]
    assert not {"late", "air_time"} & set(features)
