"""Makes schemas.json: what the AzureRM provider's resources take, read from the bindings that were generated from it.

    npm pack @cdktf/provider-azurerm@14.23.1
    python tests/infra/azurerm/extract.py cdktf-provider-azurerm-14.23.1.tgz

The package (MPL-2.0, made for azurerm 4.55.0) has a folder of JavaScript for each resource. Of each class two
things are read: the table `attrs` of what can be set (name, whether it is a block, type), and the getters of what can
be read. What can be set and has no `reset…()` is required. Lost in the bindings, and so not checked by whoever uses
this: default values, allowed values, which arguments exclude each other, and whether an argument that can be set is
computed where it is not (`ALSO_COMPUTED` names those that our modules read).
"""

from __future__ import annotations

import json
import re
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGE = "@cdktf/provider-azurerm 14.23.1"
LICENCE = "MPL-2.0, Copyright (c) HashiCorp, Inc."
TARGET = Path(__file__).with_name("schemas.json")

# Exactly what infra/ uses; tests/infra/test_azurerm.py compares.
RESOURCES = (
    "application_insights",
    "application_insights_workbook",
    "container_group",
    "container_registry",
    "federated_identity_credential",
    "key_vault",
    "kubernetes_cluster",
    "kubernetes_cluster_node_pool",
    "log_analytics_workspace",
    "machine_learning_compute_cluster",
    "machine_learning_workspace",
    "management_lock",
    "monitor_action_group",
    "monitor_diagnostic_setting",
    "monitor_metric_alert",
    "network_security_group",
    "private_dns_a_record",
    "private_dns_cname_record",
    "private_dns_zone",
    "private_dns_zone_virtual_network_link",
    "resource_group",
    "role_assignment",
    "role_definition",
    "storage_account",
    "storage_container",
    "storage_container_immutability_policy",
    "storage_management_policy",
    "subnet",
    "subnet_network_security_group_association",
    "user_assigned_identity",
    "virtual_network",
)
DATA_SOURCES = ("client_config",)
ALSO_COMPUTED = {
    "azurerm_kubernetes_cluster": ("dns_prefix", "node_resource_group"),
    "azurerm_role_assignment": ("name", "principal_type", "role_definition_id"),
    "azurerm_role_definition": ("role_definition_id",),
}

MEMBER = re.compile(
    r"\b(\w+): \{\s+value: (?P<value>.*),\s+isBlock: (?P<block>true|false),\s+"
    r'type: "(?P<kind>\w+)",\s+storageClassType: "(?P<stored>\w+)",'
)
PART = re.compile(r"(?m)^(?=(?:class|function) )")
HEAD = re.compile(r"(class|function) (\w+)")
READ = re.compile(r"this\.get(\w+)Attribute\('(\w+)'\)")
NESTED = re.compile(r'new (\w+?)(List|OutputReference|Map)\(this, "(\w+)"')
RESET = re.compile(r"(?m)^    reset(\w+)\(\)")

PRIMITIVES = {"string": "string", "number": "number", "boolean": "bool", "any": "dynamic"}
GETTERS = {
    "String": "string",
    "Number": "number",
    "Boolean": "bool",
    "List": ["list", "string"],
    "NumberList": ["list", "number"],
    "StringMap": ["map", "string"],
    "NumberMap": ["map", "number"],
    "BooleanMap": ["map", "bool"],
}
Block = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Member:
    """What can be set: an argument or, where `block`, a nested block whose functions and class are called `stored`."""

    value: str
    block: bool
    kind: str
    stored: str

    @property
    def type(self) -> Any:
        if self.kind == "simple":
            return PRIMITIVES[self.stored]
        return [self.kind, PRIMITIVES[re.sub(r"(List|Map)$", "", self.stored)]]

    @property
    def struct(self) -> str:
        return re.sub(r"(List|Map)$", "", self.stored)

    @property
    def lone(self) -> bool:
        """Whether at most one such block may be written: several are mapped one by one."""
        return "listMapper" not in self.value


@dataclass(frozen=True, kw_only=True)
class Part:
    """One class or function of the generated JavaScript."""

    name: str
    text: str

    @property
    def members(self) -> dict[str, Member]:
        return {
            each[1]: Member(
                value=each["value"], block=each["block"] == "true", kind=each["kind"], stored=each["stored"]
            )
            for each in MEMBER.finditer(self.text)
        }

    @property
    def read(self) -> dict[str, Any]:
        """What can be read, with its type; without nested objects."""
        return {name: GETTERS.get(kind, "dynamic") for kind, name in READ.findall(self.text)}

    @property
    def nested(self) -> dict[str, str]:
        return {name: struct for struct, _, name in NESTED.findall(self.text)}

    def required(self, name: str) -> bool:
        """Whether it cannot be taken back; the provider's own blocks have functions only, and are all optional."""
        resets = {each.lower() for each in RESET.findall(self.text)}
        return self.text.startswith("class") and name.replace("_", "") not in resets


class Source:
    """The JavaScript of one resource, taken apart."""

    def __init__(self, text: str) -> None:
        text, _, _ = text.partition("//# sourceMappingURL")
        parts = [Part(name=head[2], text=part) for part in PART.split(text) if (head := HEAD.match(part))]
        # Structs begin with a small letter as functions, and with a capital as classes.
        self._parts = {part.name[0].upper() + part.name[1:]: part for part in parts}
        self.main = next(part for part in parts if re.search(r"extends cdktf\.Terraform(\w+) ", part.text))

    def block(self) -> Block:
        """The schema of the resource itself."""
        return self._block(self.main, self.main.members)

    def _block(self, part: Part, members: dict[str, Member]) -> Block:
        attributes: Block = {}
        blocks: Block = {}
        computed_lists = part.text.count("computed: true, optional: true")
        for name, member in members.items():
            required = part.required(name)
            if not member.block:
                attributes[name] = {"type": member.type, "required" if required else "optional": True}
            elif computed_lists and re.search(rf"// {name} - computed: true, optional: true", part.text):
                # A block that is computed where it is not written is an argument that holds objects.
                kind = "set" if member.kind == "set" else "list"
                attributes[name] = {"type": [kind, self._object(member.struct)], "optional": True, "computed": True}
            else:
                blocks[name] = self._nested(name, member, required=required)
        for name, kind in part.read.items():
            if name not in members:
                attributes[name] = {"type": kind, "computed": True}
        for name, struct in part.nested.items():
            if name not in members:
                attributes[name] = {"type": ["list", self._object(struct)], "computed": True}
        if part is self.main and "id" in attributes:
            attributes["id"] = {"type": "string", "optional": True, "computed": True}
        return {"attributes": attributes, "block_types": blocks}

    def _nested(self, name: str, member: Member, *, required: bool) -> Block:
        function = self._parts[f"{member.struct}ToHclTerraform"]
        part = self._parts.get(f"{member.struct}OutputReference", function)
        inner = self._block(part, function.members)
        if name == "timeouts":
            return {"nesting_mode": "single", "block": inner}
        limits = {"min_items": 1} if required else {}
        if member.lone:
            limits["max_items"] = 1
        return {"nesting_mode": "set" if member.kind == "set" else "list", "block": inner, **limits}

    def _object(self, struct: str) -> list[Any]:
        part = self._parts[f"{struct}OutputReference"]
        function = self._parts.get(f"{struct}ToHclTerraform")
        fields: Block = dict(part.read)
        for name, member in (function.members if function else {}).items():
            fields[name] = [member.kind, self._object(member.struct)] if member.block else member.type
        for name, inner in part.nested.items():
            fields.setdefault(name, ["list", self._object(inner)])
        return ["object", fields]


def extracted(archive: Path) -> dict[str, Any]:
    """The schemas of the provider, of `RESOURCES` and of `DATA_SOURCES`."""
    folders = {"provider": "provider"}
    folders |= {name.replace("_", "-"): name for name in RESOURCES}
    folders |= {f"data-azurerm-{name.replace('_', '-')}": f"data_{name}" for name in DATA_SOURCES}
    found: dict[str, Block] = {}
    # In one go: to look for one file after the other would unpack gigabytes for each.
    with tarfile.open(archive, "r|gz") as package:
        for member in package:
            folder = re.fullmatch(r"package/lib/([\w-]+)/index\.js", member.name)
            if folder and folder[1] in folders:
                file = package.extractfile(member)
                assert file is not None, member.name
                found[folders[folder[1]]] = Source(file.read().decode()).block()
    provider = found["provider"]
    resources = {f"azurerm_{name}": found[name] for name in RESOURCES}
    data_sources = {f"azurerm_{name}": found[f"data_{name}"] for name in DATA_SOURCES}
    provider["attributes"].pop("alias", None)
    provider["block_types"]["features"]["min_items"] = 1
    for resource, names in ALSO_COMPUTED.items():
        for name in names:
            resources[resource]["attributes"][name]["computed"] = True
    return {
        "package": PACKAGE,
        "licence": LICENCE,
        "provider": provider,
        "resources": resources,
        "data_sources": data_sources,
    }


def main() -> None:
    schemas = extracted(Path(sys.argv[1]))
    # A line for each resource: small, and a change of one of them is a change of one line.
    lines = []
    for key, value in schemas.items():
        if key in ("resources", "data_sources"):
            inner = ",\n".join(f"  {json.dumps(name)}: {_compact(value[name])}" for name in sorted(value))
            lines.append(f" {json.dumps(key)}: {{\n{inner}\n }}")
        else:
            lines.append(f" {json.dumps(key)}: {_compact(value)}")
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    sys.stdout.write(f"{TARGET}: {TARGET.stat().st_size // 1024} KiB\n")


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


if __name__ == "__main__":
    main()
