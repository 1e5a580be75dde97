"""A Terraform provider that knows what Azure's resources take, and no Azure; `terraform` takes it for the real one.

It serves schemas.json by Terraform's plugin protocol 6, so that the real `terraform` refuses what is misspelt, missing
or of the wrong type, and rules.py for some of what a schema does not say. A plan leaves open what Azure would make up;
an apply makes it up from the resource's type and name. Nothing is created, nothing is remembered but by Terraform's
own state, and nothing that Azure would refuse only when it is asked (quotas, policies, rights, names that are taken,
arguments that exclude each other) is found. What passes here was validated and planned, and never applied to Azure.

Runs in an environment of its own (requirements.lock: `tf` has the protocol's messages, and wants an older protobuf).
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import msgpack
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc

sys.path.insert(0, str(Path(__file__).parent))
import rules

SCHEMAS = json.loads(Path(__file__).with_name("schemas.json").read_text())
UNKNOWN = msgpack.ExtType(0, b"\x00")  # the protocol's mark of a value that is not known yet
NESTING = {"single": 1, "list": 2, "set": 3, "map": 4}
Value = dict[str, Any]


def schema(block: Value) -> pb.Schema:
    return pb.Schema(version=0, block=_block(block))


def _block(block: Value) -> pb.Schema.Block:
    message = pb.Schema.Block(version=0)
    for name, each in sorted(block["attributes"].items()):
        flags = {flag: each.get(flag, False) for flag in ("required", "optional", "computed")}
        message.attributes.append(pb.Schema.Attribute(name=name, type=json.dumps(each["type"]).encode(), **flags))
    for name, each in sorted(block["block_types"].items()):
        limits = {limit: each.get(limit, 0) for limit in ("min_items", "max_items")}
        nested = pb.Schema.NestedBlock(
            type_name=name, block=_block(each["block"]), nesting=NESTING[each["nesting_mode"]], **limits
        )
        message.block_types.append(nested)
    return message


def decoded(value: pb.DynamicValue) -> Any:
    return msgpack.unpackb(value.msgpack, raw=False, strict_map_key=False)


def encoded(value: object) -> pb.DynamicValue:
    return pb.DynamicValue(msgpack=msgpack.packb(value, use_bin_type=False))


def filled(value: Value, block: Value, made_up: Callable[[str, Any], object]) -> Value:
    """`value` with `made_up(name, type)` where Azure decides and nobody has said anything; also in nested blocks."""
    result = dict(value)
    for name, each in block["attributes"].items():
        if each.get("computed") and value.get(name) in (None, UNKNOWN):
            result[name] = made_up(name, each["type"])
    for name, each in block["block_types"].items():
        # An element of a set is told from the others by its whole value, so that it may not change.
        if each["nesting_mode"] == "list" and isinstance(value.get(name), list):
            result[name] = [filled(inner, each["block"], made_up) for inner in value[name]]
    return result


def maker(kind: str, value: Value) -> Callable[[str, Any], object]:
    """Makes up values for one resource; the same for the same type, place and name."""
    own = rules.identifier(kind, value)

    def made_up(attribute: str, type_: Any) -> object:
        if attribute in ("id", "role_definition_resource_id"):
            return own
        if type_ == "string":
            ending = attribute.rpartition("_")[2]
            number = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{own}#{attribute}"))
            return number if ending == "id" else f"{attribute}-of-{value.get('name')}"
        simple = {"number": 0, "bool": False}
        return simple[type_] if isinstance(type_, str) else ({} if type_[0] == "map" else [])

    return made_up


def diagnostics(kind: str, config: Value) -> list[pb.Diagnostic]:
    problems = []
    for path, problem in rules.problems(kind, config):
        steps = [
            pb.AttributePath.Step(element_key_int=step)
            if isinstance(step, int)
            else pb.AttributePath.Step(attribute_name=step)
            for step in path
        ]
        problems.append(
            pb.Diagnostic(
                severity=pb.Diagnostic.ERROR,
                summary=f"Azure would refuse this {path[-1]}",
                detail=problem,
                attribute=pb.AttributePath(steps=steps),
            )
        )
    return problems


class Provider(tfplugin_pb2_grpc.ProviderServicer):
    """The calls that Terraform makes; the names are the protocol's."""

    def GetProviderSchema(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.GetProviderSchema.Response(
            provider=schema(SCHEMAS["provider"]),
            resource_schemas={name: schema(block) for name, block in SCHEMAS["resources"].items()},
            data_source_schemas={name: schema(block) for name, block in SCHEMAS["data_sources"].items()},
            server_capabilities=pb.ServerCapabilities(get_provider_schema_optional=True),
        )

    def GetMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "ask for the schema")

    def GetFunctions(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.GetFunctions.Response()

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ValidateProviderConfig.Response()

    def ConfigureProvider(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ConfigureProvider.Response()

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        found = diagnostics(request.type_name, decoded(request.config))
        return pb.ValidateResourceConfig.Response(diagnostics=found)

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ValidateDataResourceConfig.Response()

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:  # noqa: N802
        state = pb.DynamicValue(json=request.raw_state.json)
        return pb.UpgradeResourceState.Response(upgraded_state=state)

    def ReadResource(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ReadResource.Response(new_state=request.current_state)

    def ReadDataSource(self, request: Any, context: Any) -> Any:  # noqa: N802
        config = decoded(request.config)
        block = SCHEMAS["data_sources"][request.type_name]
        return pb.ReadDataSource.Response(state=encoded(filled(config, block, maker(request.type_name, config))))

    def PlanResourceChange(self, request: Any, context: Any) -> Any:  # noqa: N802
        planned, prior = decoded(request.proposed_new_state), decoded(request.prior_state)
        replaced = []
        if planned is not None and prior is None:
            planned = filled(planned, SCHEMAS["resources"][request.type_name], lambda name, type_: UNKNOWN)
        elif planned is not None:
            changed = [name for name in planned if planned[name] != prior[name]]
            replaced = [name for name in changed if rules.replaces(request.type_name, name)]
        return pb.PlanResourceChange.Response(
            planned_state=encoded(planned),
            requires_replace=[
                pb.AttributePath(steps=[pb.AttributePath.Step(attribute_name=name)]) for name in replaced
            ],
            legacy_type_system=True,
        )

    def ApplyResourceChange(self, request: Any, context: Any) -> Any:  # noqa: N802
        planned = decoded(request.planned_state)
        if planned is not None:
            planned = filled(planned, SCHEMAS["resources"][request.type_name], maker(request.type_name, planned))
        return pb.ApplyResourceChange.Response(new_state=encoded(planned), legacy_type_system=True)

    def StopProvider(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.StopProvider.Response()


def main() -> None:
    """Serves in the folder that is named, says where, and ends when the input does."""
    size = [(f"grpc.max_{way}_message_length", 1 << 28) for way in ("send", "receive")]
    server = grpc.server(ThreadPoolExecutor(8), options=size)
    tfplugin_pb2_grpc.add_ProviderServicer_to_server(Provider(), server)
    address = Path(sys.argv[1]).resolve() / "azurerm.socket"
    server.add_insecure_port(f"unix:{address}")
    server.start()
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop(grace=0.1).wait()


if __name__ == "__main__":
    main()
