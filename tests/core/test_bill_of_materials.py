"""The bill of materials: valid by the official schema, the same for the same image, and no lie in it goes unseen."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from mlops_ci.core.bill_of_materials import bill_of_materials, disagreements
from mlops_ci.core.digest import canonical_json
from mlops_ci.core.image import BuiltImage, Layer, Package
from mlops_ci.core.package_url import image_url, package_url
from tests.images import PACKAGES, SYSTEM

DIGEST = "sha256:" + "a" * 64
IMAGE = BuiltImage(
    reference=f"127.0.0.1:5000/acme/late@{DIGEST}",
    image_id="sha256:" + "c" * 64,
    base="python@sha256:" + "b" * 64,
    platform="linux/amd64",
    layers=(
        Layer(name="dependencies", digest="sha256:" + "1" * 64, megabytes=100.0),
        Layer(name="service", digest="sha256:" + "2" * 64, megabytes=0.2),
        Layer(name="model", digest="sha256:" + "3" * 64, megabytes=0.4),
    ),
    packages=(*PACKAGES, *SYSTEM),
    build="d" * 64,
    megabytes=150.0,
)
FILES = {"model.onnx": "e" * 64, "signature.json": "f" * 64, "card.json": "0" * 64}


def bill(image: BuiltImage = IMAGE, **changes: Any) -> dict[str, Any]:
    return bill_of_materials(image, **{"model": "late", "version": 3, "files": FILES, "toolkit": "0.1.0"} | changes)


def component(value: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in value["components"] if one["name"] == name]
    return dict(found)


@pytest.mark.parametrize(
    "image",
    [
        IMAGE,
        replace(IMAGE, reference=IMAGE.image_id),
        replace(IMAGE, packages=()),
        replace(IMAGE, packages=(*IMAGE.packages, *IMAGE.packages)),
        replace(
            IMAGE,
            packages=tuple(
                Package(name=name, version="1:2.0~rc1+x/ y", kind="deb", licence=licence)
                for name, licence in [
                    ("a", "MIT AND (Apache-2.0 OR BSD-3-Clause)"),
                    ("libstdc++6", "see <copyright>, ähnlich"),
                    ("c", "BSD"),
                    ("d", "MIT OR"),
                    ("e", "()"),
                    ("f", "AND"),
                ]
            ),
        ),
    ],
)
def test_it_is_valid_by_the_official_schema(image: BuiltImage) -> None:
    text = canonical_json(bill(image)).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_everything_in_the_image_is_in_it() -> None:
    value = bill()
    main = value["metadata"]["component"]
    assert (main["type"], main["name"], main["version"]) == ("container", "127.0.0.1:5000/acme/late", "3")
    assert main["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    model = next(one for one in value["components"] if one["type"] == "machine-learning-model")
    assert (model["name"], model["version"], model["hashes"][0]["content"]) == ("late", "3", "e" * 64)
    assert component(value, "numpy")["hashes"][0]["content"] == "1" * 64
    assert component(value, "numpy")["licenses"] == [{"license": {"id": "BSD-3-Clause"}}]
    assert component(value, "onnxruntime")["licenses"] == [{"license": {"name": "MIT License"}}]
    assert component(value, "python") | {"bom-ref": ""} == {
        "type": "platform", "bom-ref": "", "name": "python", "version": "3.11.9", "purl": "pkg:generic/python@3.11.9",
    }  # fmt: skip
    assert component(value, "libc6")["purl"] == "pkg:deb/debian/libc6@2.36-9%2Bdeb12u9"
    assert component(value, "mlops-ci")["version"] == "0.1.0"
    assert component(value, "card.json")["hashes"][0]["content"] == "0" * 64
    refs = [one["bom-ref"] for one in value["components"]]
    assert value["dependencies"] == [{"ref": "image", "dependsOn": sorted(refs)}]


def test_the_same_image_has_the_same_bill_whatever_the_order() -> None:
    other = replace(IMAGE, packages=tuple(reversed(IMAGE.packages)))
    assert canonical_json(bill(other)) == canonical_json(bill())
    assert "serialNumber" not in bill()
    assert "timestamp" not in bill()["metadata"]


def test_an_image_that_no_registry_knows_is_named_by_its_id() -> None:
    main = bill(replace(IMAGE, reference=IMAGE.image_id))["metadata"]["component"]
    assert (main["name"], main["hashes"][0]["content"]) == ("late", "c" * 64)
    assert "purl" not in main


@pytest.mark.parametrize(
    ("package", "parts"),
    [
        (PACKAGES[0], ("pypi", None, "numpy", "2.3.5")),
        (Package(name="Foo_Bar.baz", version="1.0+cpu", kind="pypi"), ("pypi", None, "foo-bar.baz", "1.0+cpu")),
        (SYSTEM[2], ("deb", "debian", "libgcc-s1", "12:12.2.0-14")),
        (Package(name="libstdc++6", version="1~x", kind="deb"), ("deb", "debian", "libstdc++6", "1~x")),
        (SYSTEM[0], ("generic", None, "python", "3.11.9")),
    ],
)
def test_package_urls_are_those_of_another_implementation(package: Package, parts: tuple[Any, ...]) -> None:
    assert package_url(package) == PackageURL(*parts).to_string()
    assert PackageURL.from_string(package_url(package))[:4] == parts


def test_the_url_of_an_image_is_read_by_another_implementation() -> None:
    parsed = PackageURL.from_string(image_url(IMAGE.reference))
    assert (parsed.type, parsed.name, parsed.version) == ("oci", "late", DIGEST)
    assert parsed.qualifiers == {"repository_url": "127.0.0.1:5000/acme/late"}
    assert image_url(IMAGE.image_id) == ""


def change(name: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    def edit(value: dict[str, Any]) -> None:
        next(one for one in value["components"] if one["name"] == name).update(values)

    return edit


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda value: value["components"].pop(), "is not in it"),
        (lambda value: value["components"].append({"bom-ref": "pkg:pypi/evil@1"}), "evil@1 is in it, and not in"),
        (lambda value: value["components"].append(dict(value["components"][0])), "in it twice"),
        (lambda value: value["components"].append("evil"), "in it twice"),
        (change("numpy", version="2.3.4"), "version of pkg:pypi/numpy@2.3.5 is 2.3.4 there, and 2.3.5 in the image"),
        (change("numpy", hashes=[{"alg": "SHA-256", "content": "9" * 64}]), f"is {'9' * 12} there, and {'1' * 12} in"),
        (change("numpy", hashes=None), "hashes of pkg:pypi/numpy@2.3.5 is nothing there"),
        (change("late", hashes=[]), "hashes of file:model.onnx is [] there"),
        (change("late", type="file"), "type of file:model.onnx"),
        (lambda value: value["metadata"]["component"].update(hashes=[]), "hashes of image is [] there"),
        (lambda value: value["metadata"].pop("component"), "image is not in it"),
        (lambda value: value.pop("metadata"), "image is not in it"),
        (lambda value: value.update(components=7), "numpy@2.3.5 is not in it"),
    ],
)
def test_what_does_not_fit_the_image_is_named(edit: Callable[[dict[str, Any]], Any], said: str) -> None:
    wrong = copy.deepcopy(bill())
    edit(wrong)
    assert said in "; ".join(disagreements(wrong, bill()))


def test_a_better_word_for_a_licence_is_no_disagreement() -> None:
    other = copy.deepcopy(bill())
    change("onnxruntime", licenses=[{"license": {"id": "MIT"}}])(other)
    assert disagreements(other, bill()) == []
