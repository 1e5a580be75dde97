"""The sections `terraform` and `kubernetes` of an environment: rules, defaults, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlops_ci.config.document import Complaint, KeyPath
from mlops_ci.config.wording import shown
from mlops_ci.core.cluster_settings import KubernetesSettings, TerraformSettings

Values = Mapping[str, Any]
CLUSTERS = ("terraform", "kubernetes")
_TERRAFORM: Values = {"workspace": "default", "backend": {}, "variables": {}, "may_destroy": []}
_KUBERNETES: Values = {"mode": "apply"}
SERVING = "serving"
_SECRETS = ("access_key", "secret_key", "client_secret", "credentials", "encryption_key", "password", "secret", "token")


def with_cluster_defaults(environment: Values) -> dict[str, Any]:
    """The sections that the environment has, filled in."""
    defaults = {"terraform": _TERRAFORM, "kubernetes": _KUBERNETES}
    return {name: {**defaults[name], **environment[name]} for name in CLUSTERS if name in environment}


def complete_terraform(section: Values | None) -> TerraformSettings | None:
    if section is None:
        return None
    return TerraformSettings(**{**section, "may_destroy": tuple(section["may_destroy"])})


def complete_kubernetes(section: Values | None) -> KubernetesSettings | None:
    return None if section is None else KubernetesSettings(**section)


def targets_have_their_own_section(model: Values) -> Iterator[Complaint]:
    for path, environment in _declared(model):
        target = environment.get("target", "process")
        for name in CLUSTERS:
            if name in environment and target not in (None, name):
                what = f"{shown((*path, name))} is of target {name}, and the target is {target}"
                yield Complaint(path=(*path, name), what=what, fix=f"write target: {name}, or remove the section")
        if target in CLUSTERS and target not in environment:
            what = f"{shown((*path, 'target'))} is '{target}', and there is no section `{target}:` beside it"
            needed = "directory" if target == "terraform" else "overlay and url"
            yield Complaint(path=(*path, "target"), what=what, fix=f"add it; it has to say {needed}")


def clusters_can_pull_the_image(model: Values) -> Iterator[Complaint]:
    if (model.get("image") or {}).get("push") is not False:
        return
    for path, environment in _declared(model):
        if environment.get("target") in CLUSTERS:
            what = f"{shown(('image', 'push'))} is false, and {shown(path)} pulls the image from its registry"
            yield Complaint(path=("image", "push"), what=what, fix="remove it: to push is the default")


def variables_leave_serving_alone(model: Values) -> Iterator[Complaint]:
    for path, terraform in _sections(model, "terraform"):
        if SERVING in (terraform.get("variables") or {}):
            where = (*path, "variables", SERVING)
            yield Complaint(path=where, what=f"{shown(where)} is what mlops-ci sets itself", fix="remove it")


def backends_hold_no_secret(model: Values) -> Iterator[Complaint]:
    """They would be in Git, and in the list of processes."""
    for path, terraform in _sections(model, "terraform"):
        for name in terraform.get("backend") or {}:
            if name.endswith(_SECRETS):
                where = (*path, "backend", name)
                what = f"{shown(where)} would put a secret into Git"
                yield Complaint(path=where, what=what, fix="give it by the environment, as Terraform's own page says")


def only_commits_have_a_branch(model: Values) -> Iterator[Complaint]:
    for path, kubernetes in _sections(model, "kubernetes"):
        if "branch" in kubernetes and kubernetes.get("mode", "apply") == "apply":
            where = (*path, "branch")
            what = f"{shown(where)} has no effect with mode apply, which commits nothing"
            yield Complaint(path=where, what=what, fix="write mode: commit, or remove it")


def rollouts_are_counted(model: Values) -> Iterator[Complaint]:
    """A step that nothing could judge would let everything pass. What Terraform makes says so itself, later."""
    for path, kubernetes in list(_sections(model, "kubernetes")):
        environment = dict(_declared(model))[path[:-1]]
        rollout = environment.get("rollout") or {}
        first = path[1] == next(iter(model["environments"]))
        steps = rollout.get("steps") or [100] if first else rollout.get("steps") or [10, 50, 100]
        judged = len(steps) > 1 or rollout.get("min_requests") or rollout.get("ab") is not None
        if judged and not kubernetes.get("prometheus"):
            what = f"{shown(path)} has no `prometheus`, and the rollout goes by what users are answered at each step"
            fix = "write prometheus: and the address of yours, or rollout: {steps: [100]}"
            yield Complaint(path=path, what=what, fix=fix)


CLUSTER_RULES = (
    targets_have_their_own_section,
    clusters_can_pull_the_image,
    variables_leave_serving_alone,
    backends_hold_no_secret,
    only_commits_have_a_branch,
    rollouts_are_counted,
)


def _declared(model: Values) -> Iterator[tuple[KeyPath, Values]]:
    for name, environment in (model.get("environments") or {}).items():
        yield ("environments", name), environment or {}


def _sections(model: Values, name: str) -> Iterator[tuple[KeyPath, Values]]:
    for path, environment in _declared(model):
        if environment.get(name):
            yield (*path, name), environment[name]
