"""Makes crd-schemas.json: the published JSON schemas of the custom resources that infra/kubernetes uses.

Run `python -m tests.infra.kubernetes.extract_schemas`; it needs `npm`. The schemas lie as data in the sources of the
packages named here, generated there from the projects' own CustomResourceDefinitions.
"""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SCHEMAS = HERE / "crd-schemas.json"
# The newest version of each that has its schema as data; later ones compile it to code.
SOURCES = {
    "@kubernetes-models/gateway-api@0.5.1": ("gateway.networking.k8s.io/v1", ("Gateway", "HTTPRoute")),
    "@kubernetes-models/argo-cd@2.5.0": ("argoproj.io/v1alpha1", ("AppProject", "Application")),
    "@kubernetes-models/flux-cd@2.2.1": ("kustomize.toolkit.fluxcd.io/v1", ("Kustomization",)),
    "@kubernetes-models/flux-cd@2.2.1 ": ("source.toolkit.fluxcd.io/v1", ("GitRepository",)),
}
DATA = re.compile(r"^const schema = (\{.*?^\});$", re.MULTILINE | re.DOTALL)


def extract() -> dict[str, Any]:
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for package, (group, kinds) in SOURCES.items():
            command = ["npm", "pack", "--silent", package.strip()]
            archive = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
            with tarfile.open(Path(folder, archive)) as files:
                for kind in kinds:
                    text = files.extractfile(f"package/{group}/{kind}.js")
                    assert text is not None
                    match = DATA.search(text.read().decode())
                    assert match is not None, f"{package} has no schema of {kind} as data"
                    found[f"{group}/{kind}"] = strict(json.loads(match[1]))
    return found


def strict(schema: Any, *, named: bool = False) -> Any:
    """The schema without what is only for people, and with every field that it does not know refused.

    A cluster prunes such fields silently, so a misspelt one would be lost. Metadata is Kubernetes' own and is checked
    with the other objects. `named`: the keys here are names of fields, and no keywords.
    """
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if named:
        return {name: {"type": "object"} if name == "metadata" else strict(one) for name, one in schema.items()}
    kept = {
        key: strict(value, named=key == "properties")
        for key, value in schema.items()
        if key not in ("description", "default", "format") and not key.startswith("x-")
    }
    if "properties" in kept and "additionalProperties" not in kept:
        kept["additionalProperties"] = False
    kept.pop("nullable", None)
    return kept


if __name__ == "__main__":
    SCHEMAS.write_text(json.dumps(extract(), separators=(",", ":"), sort_keys=True) + "\n")
