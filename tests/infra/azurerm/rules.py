"""Some of what Azure demands and a schema does not say: names, and values out of a list.

Drawn from Azure's "Naming rules and restrictions for Azure resources" and the provider's documentation. Not complete,
and not meant to be: what is checked is what our modules set and somebody could plausibly get wrong.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]

GROUP = r"[-\w.()]{0,89}[-\w()]"
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
DURATION = r"P(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?"
LABEL = r"[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?"

# resource → path of the argument (blocks by their name) → a pattern for the whole value, or all values there are
RULES: dict[str, dict[str, str | tuple[str, ...]]] = {
    "application_insights": {
        "application_type": ("web", "other", "java", "Node.JS", "ios", "MobileCenter", "phone", "store")
    },
    "application_insights_workbook": {"name": UUID},
    "container_group": {
        "name": r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?",
        "os_type": ("Linux", "Windows"),
        "ip_address_type": ("Public", "Private", "None"),
        "restart_policy": ("Always", "Never", "OnFailure"),
        "sku": ("Confidential", "Dedicated", "Standard"),
        "identity.type": ("SystemAssigned", "UserAssigned", "SystemAssigned, UserAssigned"),
        "container.name": r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?",
        "container.ports.protocol": ("TCP", "UDP"),
        "container.liveness_probe.http_get.scheme": ("Http", "Https"),
        "container.readiness_probe.http_get.scheme": ("Http", "Https"),
        "diagnostics.log_analytics.log_type": ("ContainerInsights", "ContainerInstanceLogs"),
    },
    "container_registry": {
        "name": r"[A-Za-z0-9]{5,50}",
        "sku": ("Basic", "Standard", "Premium"),
        "network_rule_bypass_option": ("None", "AzureServices"),
        "network_rule_set.default_action": ("Allow", "Deny"),
    },
    "federated_identity_credential": {
        "name": r"[A-Za-z0-9][-\w]{2,119}",
        "issuer": r"https://.{1,592}",
        "subject": r".{1,600}",
    },
    "key_vault": {"name": r"[A-Za-z](?!.*--)[-A-Za-z0-9]{1,22}[A-Za-z0-9]", "sku_name": ("standard", "premium")},
    "kubernetes_cluster": {
        "name": r"[A-Za-z0-9]([-\w]{0,61}[A-Za-z0-9])?",
        "dns_prefix": r"[A-Za-z0-9]([-A-Za-z0-9]{0,52}[A-Za-z0-9])?",
        "sku_tier": ("Free", "Standard", "Premium"),
        "automatic_upgrade_channel": ("patch", "rapid", "node-image", "stable"),
        "node_os_upgrade_channel": ("Unmanaged", "SecurityPatch", "NodeImage", "None"),
        "identity.type": ("SystemAssigned", "UserAssigned"),
        "default_node_pool.name": r"[a-z][a-z0-9]{0,11}",
        "default_node_pool.os_sku": ("AzureLinux", "AzureLinux3", "Ubuntu", "Ubuntu2204", "Windows2019", "Windows2022"),
        "default_node_pool.os_disk_type": ("Ephemeral", "Managed"),
        "network_profile.network_plugin": ("azure", "kubenet", "none"),
        "network_profile.network_plugin_mode": ("overlay",),
        "network_profile.network_policy": ("calico", "azure", "cilium"),
        "network_profile.network_data_plane": ("azure", "cilium"),
        "network_profile.load_balancer_sku": ("basic", "standard"),
        "network_profile.outbound_type": (
            *("loadBalancer", "userDefinedRouting", "managedNATGateway", "userAssignedNATGateway", "none"),
        ),
    },
    "kubernetes_cluster_node_pool": {
        "name": r"[a-z][a-z0-9]{0,11}",
        "mode": ("System", "User"),
        "os_disk_type": ("Ephemeral", "Managed"),
    },
    "log_analytics_workspace": {
        "name": r"[A-Za-z0-9][-A-Za-z0-9]{2,61}[A-Za-z0-9]",
        "sku": (
            "Free",
            "PerNode",
            "Premium",
            "Standard",
            "Standalone",
            "Unlimited",
            "CapacityReservation",
            "PerGB2018",
        ),
    },
    "machine_learning_compute_cluster": {
        "name": r"[A-Za-z][-A-Za-z0-9]{1,30}[A-Za-z0-9]",
        "vm_priority": ("Dedicated", "LowPriority"),
        "scale_settings.scale_down_nodes_after_idle_duration": DURATION,
        "identity.type": ("SystemAssigned", "UserAssigned", "SystemAssigned, UserAssigned"),
    },
    "machine_learning_workspace": {
        "name": r"[A-Za-z0-9][-\w]{2,32}",
        "identity.type": ("SystemAssigned", "UserAssigned", "SystemAssigned, UserAssigned"),
        "managed_network.isolation_mode": ("Disabled", "AllowOnlyApprovedOutbound", "AllowInternetOutbound"),
    },
    "management_lock": {"lock_level": ("CanNotDelete", "ReadOnly")},
    "monitor_action_group": {"short_name": r".{1,12}", "email_receiver.email_address": r"[^@\s]+@[^@\s]+\.[^@\s]+"},
    "monitor_metric_alert": {
        "frequency": ("PT1M", "PT5M", "PT15M", "PT30M", "PT1H"),
        "window_size": ("PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT6H", "PT12H", "P1D"),
        "criteria.aggregation": ("Average", "Count", "Minimum", "Maximum", "Total"),
        "criteria.operator": (
            *("Equals", "NotEquals", "GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual"),
        ),
        "criteria.dimension.operator": ("Include", "Exclude", "StartsWith"),
    },
    "private_dns_a_record": {"name": rf"(@|\*|{LABEL}(\.{LABEL})*)"},
    "private_dns_cname_record": {"name": rf"{LABEL}(\.{LABEL})*"},
    "private_dns_zone": {"name": rf"{LABEL}(\.{LABEL})+"},
    "resource_group": {"name": GROUP},
    "role_assignment": {"principal_type": ("User", "Group", "ServicePrincipal")},
    "storage_account": {
        "name": r"[a-z0-9]{3,24}",
        "account_tier": ("Standard", "Premium"),
        "account_kind": ("BlobStorage", "BlockBlobStorage", "FileStorage", "Storage", "StorageV2"),
        "account_replication_type": ("LRS", "GRS", "RAGRS", "ZRS", "GZRS", "RAGZRS"),
        "access_tier": ("Hot", "Cool", "Cold", "Premium"),
        "min_tls_version": ("TLS1_0", "TLS1_1", "TLS1_2"),
        "network_rules.default_action": ("Allow", "Deny"),
        "immutability_policy.state": ("Disabled", "Unlocked", "Locked"),
    },
    "storage_container": {
        "name": r"(\$root|\$web|[a-z0-9](?!.*--)[-a-z0-9]{1,61}[a-z0-9])",
        "container_access_type": ("private", "blob", "container"),
    },
    "user_assigned_identity": {"name": r"[A-Za-z0-9][-\w]{2,127}"},
}

NUMBERS: dict[str, dict[str, tuple[int, int]]] = {
    "container_registry": {"retention_policy_in_days": (0, 365)},
    "key_vault": {"soft_delete_retention_days": (7, 90)},
    "log_analytics_workspace": {"retention_in_days": (30, 730)},
    "monitor_metric_alert": {"severity": (0, 4)},
    "storage_account": {
        "blob_properties.delete_retention_policy.days": (1, 365),
        "blob_properties.container_delete_retention_policy.days": (1, 365),
    },
    "storage_container_immutability_policy": {"immutability_period_in_days": (1, 146000)},
}

SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000"
# What resources are called that others are given by their ids; all others get a name that is made up.
GROUPED = {
    "application_insights": "Microsoft.Insights/components",
    "container_group": "Microsoft.ContainerInstance/containerGroups",
    "container_registry": "Microsoft.ContainerRegistry/registries",
    "key_vault": "Microsoft.KeyVault/vaults",
    "kubernetes_cluster": "Microsoft.ContainerService/managedClusters",
    "log_analytics_workspace": "Microsoft.OperationalInsights/workspaces",
    "machine_learning_workspace": "Microsoft.MachineLearningServices/workspaces",
    "monitor_action_group": "Microsoft.Insights/actionGroups",
    "private_dns_zone": "Microsoft.Network/privateDnsZones",
    "storage_account": "Microsoft.Storage/storageAccounts",
    "user_assigned_identity": "Microsoft.ManagedIdentity/userAssignedIdentities",
    "virtual_network": "Microsoft.Network/virtualNetworks",
}

# Where a resource cannot be changed in place: everywhere its name and its place, and some altogether.
PLACE = frozenset(
    {"name", "location", "resource_group_name", "scope", "principal_id", "storage_account_id", "parent_id"}
)
UNCHANGEABLE = frozenset({"container_group", "role_assignment", "machine_learning_compute_cluster"})
# … but for these, which even they can have changed.
CHANGEABLE = frozenset({"tags", "identity", "scale_settings"})


def identifier(resource: str, value: dict[str, Any]) -> str:
    """A resource's id as Azure writes it, but for the kinds that nobody is given the id of."""
    kind = resource.removeprefix("azurerm_")
    name = value.get("name")
    group = f"{SUBSCRIPTION}/resourceGroups/{value.get('resource_group_name')}"
    if kind == "resource_group":
        return f"{SUBSCRIPTION}/resourceGroups/{name}"
    if kind == "subnet":
        return f"{group}/providers/Microsoft.Network/virtualNetworks/{value.get('virtual_network_name')}/subnets/{name}"
    if kind == "storage_container":
        return f"{value.get('storage_account_id')}/blobServices/default/containers/{name}"
    if kind in GROUPED:
        return f"{group}/providers/{GROUPED[kind]}/{name}"
    number = uuid.uuid5(uuid.NAMESPACE_URL, f"{kind} {value}")
    return f"{SUBSCRIPTION}/providers/{kind}/{number}"


def problems(resource: str, config: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """What Azure would refuse in the configuration of a resource: where, and why. What is not known yet passes."""
    kind = resource.removeprefix("azurerm_")
    for path, rule in RULES.get(kind, {}).items():
        for where, value in _values(config, path.split(".")):
            if not isinstance(value, str):
                continue
            if isinstance(rule, str) and not re.fullmatch(rule, value):
                yield where, f"{value!r} does not match {rule}"
            if isinstance(rule, tuple) and value not in rule:
                yield where, f"{value!r} is none of {', '.join(rule)}"
    for path, (least, most) in NUMBERS.get(kind, {}).items():
        for where, value in _values(config, path.split(".")):
            if isinstance(value, int | float) and not least <= value <= most:
                yield where, f"{value} is not between {least} and {most}"


def replaces(resource: str, argument: str) -> bool:
    """Whether a change of an argument makes Azure destroy the resource and create another one."""
    kind = resource.removeprefix("azurerm_")
    return argument in PLACE or (kind in UNCHANGEABLE and argument not in CHANGEABLE)


def _values(config: Any, steps: list[str], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(config, list):
        for index, each in enumerate(config):
            yield from _values(each, steps, (*path, index))
    elif isinstance(config, dict) and steps:
        yield from _values(config.get(steps[0]), steps[1:], (*path, steps[0]))
    elif not steps:
        yield path, config
