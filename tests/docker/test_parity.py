"""The parity gate's third place: the image answers the golden rows as the native model did, adversarial ones too."""

from __future__ import annotations

import pytest

from mlops_ci.adapters.image_parts import CachedParts
from mlops_ci.adapters.scoring_client import HttpScoringClient
from mlops_ci.core.digest import canonical_json, sha256
from mlops_ci.core.image import BuiltImage
from mlops_ci.core.records import MODEL_FILE, SIGNATURE_FILE
from mlops_ci.pipeline.checks import Verification
from mlops_ci.pipeline.verify import verify
from tests.docker.building import build, inputs, serving
from tests.docker_engine import DockerEngine
from tests.pipeline.test_parity_over_http import BOOSTING, LIMITS, Made, NamedRelease, make, moved
from tests.scoring.serving import RELEASE

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("team"), BOOSTING)


def image_of(made: Made, engine: DockerEngine, parts: CachedParts, graph: bytes | None = None) -> BuiltImage:
    files = {MODEL_FILE: graph or made.graph, SIGNATURE_FILE: canonical_json(made.signature.to_json())}
    return build(engine, parts, inputs(files, model="delay"))


def verified(engine: DockerEngine, runs: BuiltImage, made: Made, *, build: str) -> Verification:
    release = NamedRelease(
        model="delay",
        version=3,
        lock="1" * 64,
        commit="2" * 40,
        files={MODEL_FILE: sha256(made.graph)},
        image=runs.reference,
        evidence={"build": build},
    )
    with serving(engine, runs.image_id, "--release", RELEASE) as (_, url), HttpScoringClient() as client:
        return verify(
            client, url, release=release, signature=made.signature, golden=made.golden, limits=LIMITS, in_image=True
        )


def test_the_image_answers_as_the_native_model_did(
    docker_engine: DockerEngine, image_parts: CachedParts, made: Made
) -> None:
    image = image_of(made, docker_engine, image_parts)

    found = verified(docker_engine, image, made, build=image.build)

    assert found.ok, found.failed
    (parity,) = [check["parity"] for check in found.to_json()["checks"] if "parity" in check]
    assert {kind["kind"] for kind in parity["kinds"]} == {
        "holdout", "threshold", "missing", "unseen", "extreme", "empty",
    }  # fmt: skip
    assert parity["rows"] == 60 + len(made.probes)


def test_an_image_of_another_model_is_caught_by_what_it_is_and_by_what_it_answers(
    docker_engine: DockerEngine, image_parts: CachedParts, made: Made
) -> None:
    right = image_of(made, docker_engine, image_parts)
    wrong = image_of(made, docker_engine, image_parts, graph=moved(made.graph, 3, 1e-12))

    found = verified(docker_engine, wrong, made, build=right.build)

    assert {check.name for check in found.failed} == {"wrong-image", "wrong-model", "golden-rows"}
