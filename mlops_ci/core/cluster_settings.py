"""What `mlops.yaml` says of an environment that runs elsewhere: by Terraform, or on Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class TerraformSettings:
    """A root module: `directory` is relative to the model's root, `backend` what its backend is configured with.

    `variables` are given to it besides `serving`. `may_destroy` are addresses, each with all that is below it, that an
    apply may destroy or replace for another reason than that a release is ended.
    """

    directory: str
    workspace: str = "default"
    backend: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    may_destroy: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class KubernetesSettings:
    """An overlay of kustomize: `overlay` is relative to the model's root.

    With the mode `apply` kubectl brings it to the cluster; with `commit` it is committed to `branch` (empty:
    mlops-ci/deployed/<environment>), and Argo CD or Flux brings it there. `url` is the address under which the
    cluster's gateway is reached, `prometheus` the server that collects the services' metrics (empty: nobody counts).
    `namespace` and `context` empty are the overlay's own and kubectl's.
    """

    overlay: str
    url: str
    mode: Literal["apply", "commit"] = "apply"
    branch: str = ""
    namespace: str = ""
    context: str = ""
    prometheus: str = ""
