"""Identities and rights of infra/modules/azure/github-identity, read as an attacker would.

The module is applied to the stand-in, which knows no Azure: tested is what would be sent there. Entra ID takes a
token whose issuer, audience and subject are exactly those of a credential; Azure allows what a role that is assigned
at the resource, or above it, names, unless the assignment's condition says otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.infra.azurerm.stand_in import Azure
from tests.infra.terraform import copied

pytestmark = pytest.mark.terraform

GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/acme-ml"
QA_GROUP = f"{GROUP}-qa"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/acmemlstore"
CONTAINERS = f"{ACCOUNT}/blobServices/default/containers"
STORE, QA_STATE, PRODUCTION_STATE = (f"{CONTAINERS}/{name}" for name in ("mlops", "state-qa", "state-production"))
REGISTRY = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/acmeml"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/acme-ml"
SUBNET = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/acme-ml/subnets/groups"
ZONE = f"{GROUP}/providers/Microsoft.Network/privateDnsZones/ml.acme.internal"
PULL = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/acmeml-pull"
GROUPS = f"{QA_GROUP}/providers/Microsoft.ContainerInstance/containerGroups/qa-flight-delay-111111111111"
BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
PODS = "Microsoft.ContainerService/managedClusters/pods"
IDENTITIES = {"read", "admit", "release", "environment-qa", "environment-production"}

# Azure's own roles that the module assigns, as Microsoft documents them: actions, and actions on data.
BUILT_IN: dict[str, tuple[set[str], set[str]]] = {
    "AcrPull": ({"Microsoft.ContainerRegistry/registries/pull/read"}, set()),
    "AcrPush": (
        {"Microsoft.ContainerRegistry/registries/pull/read", "Microsoft.ContainerRegistry/registries/push/write"},
        set(),
    ),
    "Storage Blob Data Reader": (
        {
            "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
        },
        {f"{BLOBS}/read"},
    ),
    "Storage Blob Data Contributor": (
        {
            *(
                f"Microsoft.Storage/storageAccounts/blobServices/containers/{verb}"
                for verb in ("delete", "read", "write")
            ),
            "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
        },
        {f"{BLOBS}/{verb}" for verb in ("delete", "read", "write", "move/action", "add/action")},
    ),
    "Azure Kubernetes Service Cluster User Role": (
        {
            "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action",
            "Microsoft.ContainerService/managedClusters/read",
        },
        set(),
    ),
    # cut to what the table below asks for
    "Azure Kubernetes Service RBAC Writer": (
        set(),
        {"Microsoft.ContainerService/managedClusters/apps/deployments/*", f"{PODS}/*"},
    ),
}


@dataclass(frozen=True, kw_only=True)
class Grant:
    actions: set[str]
    data_actions: set[str]
    scope: str
    paths: tuple[str, ...]  # of blobs that may be added; () where there is no condition

    def allows(self, action: str, resource: str, path: str | None) -> bool:
        within = f"{resource}/".lower().startswith(f"{self.scope}/".lower())
        named = any(fnmatchcase(action.lower(), each.lower()) for each in self.actions | self.data_actions)
        if not (within and named):
            return False
        bound = bool(self.paths) and action == f"{BLOBS}/add/action"
        return not bound or (path is not None and any(fnmatchcase(path, each) for each in self.paths))


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """What Azure was told."""

    subjects: dict[str, set[str]]
    grants: dict[str, list[Grant]]

    def takes_on(self, subject: str) -> set[str]:
        return {identity for identity, subjects in self.subjects.items() if subject in subjects}

    def may(self, identity: str, action: str, resource: str, path: str | None = None) -> bool:
        return any(grant.allows(action, resource, path) for grant in self.grants[identity])


@pytest.fixture(scope="module")
def cloud(azure: Azure, tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    module = copied(tmp_path_factory.mktemp("policies")) / "modules/azure/github-identity"
    (module / "provider.tf").write_text('provider "azurerm" {\n  features {}\n}\n')
    terraform = azure.terraform(module)
    terraform.init()
    container_instances = {
        "resource_group_id": QA_GROUP,
        "subnet_id": SUBNET,
        "dns_zone_id": ZONE,
        "pull_identity_id": PULL,
    }
    variables = {
        "name": "flight-delay",
        "resource_group_name": "acme-ml",
        "location": "westeurope",
        "repository_id": "123456",
        "repository_owner_id": "654321",
        "workflow_refs": ["refs/tags/v1.2.0"],
        "store_container_id": STORE,
        "registry_id": REGISTRY,
        "environments": {
            "qa": {"state": {"container_id": QA_STATE}, "container_instances": container_instances},
            "production": {
                "state": {"container_id": PRODUCTION_STATE},
                "kubernetes": {"cluster_id": CLUSTER, "namespace": "flight-delay"},
            },
        },
    }
    terraform.apply(variables)
    return told(json.loads(terraform.said("show", "-json")))


def told(state: dict[str, Any]) -> Cloud:
    resources = state["values"]["root_module"]["resources"]

    def of(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for each in resources:
            if each["type"] == f"azurerm_{kind}":
                yield each.get("index"), each["values"]

    identities = {values["id"]: (index, values["principal_id"]) for index, values in of("user_assigned_identity")}
    names = {principal: index for index, principal in identities.values()}
    roles = {
        values["role_definition_resource_id"]: (
            {action for each in values["permissions"] for action in each["actions"]},
            {action for each in values["permissions"] for action in each["data_actions"] or ()},
        )
        for _, values in of("role_definition")
    }
    subjects: dict[str, set[str]] = {name: set() for name in names.values()}
    for _, values in of("federated_identity_credential"):
        assert values["issuer"] == "https://token.actions.githubusercontent.com"
        assert values["audience"] == ["api://AzureADTokenExchange"]
        subjects[identities[values["parent_id"]][0]].add(values["subject"])
    grants: dict[str, list[Grant]] = {name: [] for name in names.values()}
    for _, values in of("role_assignment"):
        built_in = values["role_definition_name"]
        actions, data_actions = BUILT_IN[built_in] if built_in else roles[values["role_definition_id"]]
        paths = tuple(re.findall(r"StringLike '([^']+)'", values["condition"] or ""))
        assert bool(values["condition"]) == bool(paths)
        grants[names[values["principal_id"]]].append(
            Grant(actions=actions, data_actions=data_actions, scope=values["scope"], paths=paths)
        )
    return Cloud(subjects=subjects, grants=grants)


def subject(
    context: str,
    workflow: str,
    *,
    protected: bool = True,
    owner: str = "654321",
    repository: str = "123456",
    workflows_of: str = "mlops-ci/mlops-ci",
    ref: str = "refs/tags/v1.2.0",
) -> str:
    """What GitHub writes into a token of a repository that was told `subject_claims`."""
    return (
        f"repository_owner_id:{owner}:repository_id:{repository}:{context}:ref_protected:{str(protected).lower()}"
        f":job_workflow_ref:{workflows_of}/.github/workflows/{workflow}.yml@{ref}"
    )


MAIN = "ref:refs/heads/main"


@pytest.mark.parametrize(
    ("identity", "token"),
    [
        ("read", subject("pull_request", "model-pull-request", protected=False)),
        ("admit", subject("environment:mlops-ci-admit", "model-pull-request", protected=False)),
        ("release", subject(MAIN, "model-release")),
        ("release", subject(MAIN, "model-retrain")),
        ("release", subject(MAIN, "model-monitor")),
        ("release", subject(MAIN, "model-score")),
        ("environment-qa", subject("environment:qa", "model-rollback")),
        ("environment-production", subject("environment:production", "model-promote")),
        ("environment-production", subject("environment:production", "model-rollback")),
    ],
)
def test_each_job_gets_its_own_identity_and_no_other(cloud: Cloud, identity: str, token: str) -> None:
    assert cloud.takes_on(token) == {identity}


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(subject("pull_request", "model-release", protected=False), id="a pull request as a release"),
        pytest.param(subject("pull_request", "model-promote", protected=False), id="a pull request as a promotion"),
        pytest.param(subject("ref:refs/heads/evil", "model-release", protected=False), id="another branch"),
        pytest.param(subject("ref:refs/heads/main2", "model-release"), id="a branch that begins alike"),
        pytest.param(subject("ref:refs/tags/main", "model-release"), id="a tag called main"),
        pytest.param(
            subject("environment:production", "model-promote", protected=False), id="an environment named by a branch"
        ),
        pytest.param(
            subject("environment:production", "model-pull-request", protected=False),
            id="an environment by a pull request",
        ),
        pytest.param(subject("environment:production", "model-release"), id="another workflow in an environment"),
        pytest.param(subject("environment:staging", "model-promote"), id="an environment that nobody declared"),
        pytest.param(subject("environment:Production", "model-promote"), id="an environment in capitals"),
        pytest.param(subject("environment:mlops-ci-admit", "model-promote"), id="admission by another workflow"),
        pytest.param(subject(MAIN, "model-release", repository="999"), id="another repository"),
        pytest.param(subject(MAIN, "model-release", owner="999"), id="another owner, the same numbers otherwise"),
        pytest.param(subject(MAIN, "model-release", workflows_of="evil/mlops-ci"), id="another toolkit"),
        pytest.param(subject(MAIN, "model-release", ref="refs/heads/main"), id="a branch of the toolkit"),
        pytest.param(subject(MAIN, "model-release", ref="refs/tags/v1.1.9"), id="a version that is not named"),
        pytest.param("repo:acme/flight-delay:ref:refs/heads/main", id="a repository that was told nothing"),
        pytest.param("repo:acme/flight-delay:environment:production", id="an environment of such a repository"),
    ],
)
def test_nobody_else_gets_any(cloud: Cloud, token: str) -> None:
    assert cloud.takes_on(token) == set()


RELEASE = "releases/1111.json"
CANDIDATE = "candidates/flight-delay/2222.json"
DEPLOYERS_OF_QA = {"release", "environment-qa"}


@pytest.mark.parametrize(
    ("who", "action", "resource", "path"),
    [
        (IDENTITIES, f"{BLOBS}/read", STORE, CANDIDATE),
        (IDENTITIES - {"read"}, f"{BLOBS}/add/action", STORE, CANDIDATE),
        (IDENTITIES - {"read"}, f"{BLOBS}/add/action", STORE, "blobs/sha256/aa/aa"),
        # A pull request's job adds no release, no version and no event.
        (IDENTITIES - {"read", "admit"}, f"{BLOBS}/add/action", STORE, RELEASE),
        (IDENTITIES - {"read", "admit"}, f"{BLOBS}/add/action", STORE, "events/flight-delay/1.json"),
        (set(), f"{BLOBS}/write", STORE, CANDIDATE),
        (set(), f"{BLOBS}/delete", STORE, CANDIDATE),
        (set(), f"{BLOBS}/move/action", STORE, CANDIDATE),
        (set(), f"{BLOBS}/deleteBlobVersion/action", STORE, CANDIDATE),
        (set(), "Microsoft.Storage/storageAccounts/blobServices/containers/delete", STORE, None),
        (set(), "Microsoft.Storage/storageAccounts/listKeys/action", ACCOUNT, None),
        (set(), "Microsoft.Storage/storageAccounts/write", ACCOUNT, None),
        (set(), f"{BLOBS}/read", f"{CONTAINERS}/another-team", "x"),
        (DEPLOYERS_OF_QA, f"{BLOBS}/write", QA_STATE, "qa.tfstate"),
        ({"environment-production"}, f"{BLOBS}/read", PRODUCTION_STATE, "production.tfstate"),
        ({"release"}, "Microsoft.ContainerRegistry/registries/push/write", REGISTRY, None),
        (
            IDENTITIES - {"read", "admit"},
            "Microsoft.ContainerRegistry/registries/pull/read",
            REGISTRY,
            None,
        ),
        (set(), "Microsoft.ContainerRegistry/registries/artifacts/delete", REGISTRY, None),
        (set(), "Microsoft.ContainerRegistry/registries/write", REGISTRY, None),
        (DEPLOYERS_OF_QA, "Microsoft.ContainerInstance/containerGroups/write", GROUPS, None),
        (set(), "Microsoft.ContainerInstance/containerGroups/containers/exec/action", GROUPS, None),
        (set(), "Microsoft.ContainerInstance/containerGroups/write", GROUPS.replace("acme-ml-qa", "acme-ml"), None),
        (DEPLOYERS_OF_QA, "Microsoft.Network/virtualNetworks/subnets/join/action", SUBNET, None),
        (set(), "Microsoft.Network/virtualNetworks/subnets/join/action", SUBNET.replace("groups", "nodes"), None),
        (set(), "Microsoft.Network/virtualNetworks/subnets/write", SUBNET, None),
        (DEPLOYERS_OF_QA, "Microsoft.Network/privateDnsZones/CNAME/write", ZONE, None),
        (set(), "Microsoft.Network/privateDnsZones/delete", ZONE, None),
        (DEPLOYERS_OF_QA, "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", PULL, None),
        (set(), "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", f"{PULL}-other", None),
        (set(), "Microsoft.ManagedIdentity/userAssignedIdentities/write", PULL, None),
        (
            {"environment-production"},
            "Microsoft.ContainerService/managedClusters/apps/deployments/write",
            f"{CLUSTER}/namespaces/flight-delay",
            None,
        ),
        (
            set(),
            "Microsoft.ContainerService/managedClusters/apps/deployments/write",
            f"{CLUSTER}/namespaces/another-team",
            None,
        ),
        (set(), "Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action", CLUSTER, None),
        (set(), "Microsoft.ContainerService/managedClusters/write", CLUSTER, None),
        (set(), "Microsoft.Authorization/roleAssignments/write", GROUP, None),
        (set(), "Microsoft.Authorization/roleDefinitions/write", GROUP, None),
        (set(), "Microsoft.Authorization/locks/delete", GROUP, None),
        (
            set(),
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
            f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/flight-delay-release",
            None,
        ),
        (set(), "Microsoft.KeyVault/vaults/secrets/read", GROUP, None),
    ],
)
def test_who_may_do_what(cloud: Cloud, who: set[str], action: str, resource: str, path: str | None) -> None:
    assert {identity for identity in cloud.grants if cloud.may(identity, action, resource, path)} == who


def test_no_role_of_ours_has_a_wildcard(cloud: Cloud) -> None:
    built_in = {action for pair in BUILT_IN.values() for actions in pair for action in actions}
    for grants in cloud.grants.values():
        for grant in grants:
            for action in (grant.actions | grant.data_actions) - built_in:
                assert "*" not in action
