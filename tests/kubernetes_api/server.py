"""The HTTP side of the stand-in: discovery, objects, watches, logs; who may do what; and faults on demand."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.kubernetes_api.certificate import certified
from tests.kubernetes_api.kinds import KINDS, Kind, Object, Refused
from tests.kubernetes_api.objects import Objects

TOKEN = "a-token-of-the-stand-in"
VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
PATH = re.compile(
    r"(?P<base>/api/v1|/apis/[^/]+/[^/]+)(/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[a-z]+)"
    r"(/(?P<name>[^/]+)(/(?P<sub>status|log))?)?"
)
NAMESPACE = re.compile(r"/api/v1/namespaces(/(?P<name>[^/]+))?")


@dataclass
class Fault:
    """For requests of this method (any: "") whose path matches, so often: a status with a reason, or no answer (0)."""

    path: str
    status: int
    reason: str = ""
    method: str = ""
    times: int = 1


@dataclass
class Api:
    """`with Api() as api:`. `forbidden` holds verbs with their resources, such as ("patch", "services")."""

    objects: Objects = field(default_factory=Objects)
    forbidden: set[tuple[str, str]] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    log: Callable[[str, str, bool], str] = lambda namespace, pod, previous: ""
    token: str = TOKEN
    requests: list[tuple[str, str]] = field(default_factory=list)

    def __enter__(self) -> Api:
        api = self

        class Handler(_Handler):
            server_api = api

        self._server = _Server(("127.0.0.1", 0), Handler)
        certificate, key = certified()
        # kubectl sends a token by TLS only
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(key + certificate)
            file.flush()
            context.load_cert_chain(file.name)
        self._certificate = base64.b64encode(certificate).decode()
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    def kubeconfig(self, *, token: str = "", url: str = "") -> str:
        """For kubectl; the context is called `stand-in`."""
        cluster = {"server": url or self.url, "certificate-authority-data": self._certificate}
        return yaml.safe_dump(
            {
                "apiVersion": "v1", "kind": "Config", "current-context": "stand-in",
                "clusters": [{"name": "stand-in", "cluster": cluster}],
                "users": [{"name": "ada", "user": {"token": token or self.token}}],
                "contexts": [{"name": "stand-in", "context": {"cluster": "stand-in", "user": "ada"}}],
            }
        )  # fmt: skip

    def fault(self, method: str, path: str) -> Fault | None:
        for each in self.faults:
            if each.times and each.method in ("", method) and re.search(each.path, path):
                each.times -= 1
                return each
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Whoever asked has hung up."""


class _Handler(BaseHTTPRequestHandler):
    server_api: Api
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the library asks for these names

    def _answer(self) -> None:
        api = self.server_api
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        api.requests.append((self.command, self.path))
        fault = api.fault(self.command, self.path)
        try:
            if fault is not None and not fault.status:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            if fault is not None:
                raise Refused(fault.status, fault.reason, f"planted: {fault.reason or fault.status}")
            if self.headers.get("authorization") != f"Bearer {api.token}":
                raise Refused(401, "Unauthorized", "Unauthorized")
            found = self._found(parts.path)
            if found is None:
                self._send(200, _discovery(parts.path))
                return
            kind, namespace, name, sub = found
            self._allowed(kind, name, sub, namespace, query)
            if sub == "log":
                self._text(api.log(namespace, name, query.get("previous") == "true"), int(query.get("tailLines") or 0))
            elif query.get("watch") in ("true", "1"):
                self._watch(kind, namespace, query)
            else:
                code = 201 if self.command == "POST" else 200
                self._send(code, self._done(kind, namespace, name, sub, query, body))
        except Refused as refusal:
            self._send(refusal.code, refusal.status)
        except OSError:  # who asked is gone
            self.close_connection = True

    def _found(self, path: str) -> tuple[Kind, str, str, str] | None:
        whole = NAMESPACE.fullmatch(path)
        if whole:
            return KINDS[0], "", whole["name"] or "", ""
        found = PATH.fullmatch(path)
        kind = next((k for k in KINDS if found and (k.base, k.plural) == (found["base"], found["plural"])), None)
        if found is None:
            return None
        if kind is None:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        return kind, found["namespace"] or "", found["name"] or "", found["sub"] or ""

    def _allowed(self, kind: Kind, name: str, sub: str, namespace: str, query: dict[str, str]) -> None:
        verb = VERBS[self.command]
        verb = ("watch" if query.get("watch") else "list") if verb == "get" and not name else verb
        resource = f"{kind.plural}/{sub}" if sub else kind.plural
        if (verb, resource) in self.server_api.forbidden:
            raise Refused(
                403, "Forbidden", f'{kind.plural} "{name}" is forbidden: User "ada" cannot {verb} resource "{resource}"'
                f' in API group "{kind.group}" in the namespace "{namespace}"', name=name, kind=kind.plural,
            )  # fmt: skip

    def _done(self, kind: Kind, namespace: str, name: str, sub: str, query: dict[str, str], body: bytes) -> Object:
        objects = self.server_api.objects
        manager = query.get("fieldManager") or self.headers.get("user-agent", "unknown").partition("/")[0]
        if self.command == "GET":
            if name:
                return objects.get(kind, namespace, name)
            items = objects.list(kind, namespace, _chosen(query))
            metadata = {"resourceVersion": str(objects.version)}
            return {"apiVersion": kind.api_version, "kind": f"{kind.name}List", "metadata": metadata, "items": items}
        if self.command == "DELETE":
            options = json.loads(body) if body else {}
            how = options.get("propagationPolicy") or query.get("propagationPolicy") or "Background"
            return objects.delete(kind, namespace, name, propagation=how)
        value: Object = yaml.safe_load(body)
        if self.command == "POST":
            return objects.create(kind, namespace, value, manager=manager)
        if self.command == "PUT":
            return objects.replace(kind, namespace, name, value, manager=manager, status=sub == "status")
        return self._patched(kind, namespace, name, value, manager, query)

    def _patched(
        self, kind: Kind, namespace: str, name: str, value: Object, manager: str, query: dict[str, str]
    ) -> Object:
        objects = self.server_api.objects
        content = self.headers.get("content-type", "")
        if content.startswith("application/apply-patch"):
            if "fieldManager" not in query:
                raise Refused(400, "BadRequest", "fieldManager is required for apply patch")
            force = query.get("force") == "true"
            return objects.apply(kind, namespace, name, value, manager=manager, force=force)
        if not content.startswith("application/merge-patch"):
            raise Refused(415, "UnsupportedMediaType", f"the stand-in does not know patches of {content}")
        live = objects.get(kind, namespace, name)
        live["metadata"].pop("resourceVersion")
        return objects.replace(kind, namespace, name, _overlaid(live, value), manager=manager)

    def _watch(self, kind: Kind, namespace: str, query: dict[str, str]) -> None:
        objects, chosen = self.server_api.objects, _chosen(query)
        version = int(query.get("resourceVersion") or 0)
        ends = time.monotonic() + float(query.get("timeoutSeconds") or 60)
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        while time.monotonic() < ends:
            for each in objects.since(version, kind):
                version = each.version
                if namespace in ("", each.value["metadata"].get("namespace", "")) and chosen(each.value):
                    self._chunk(json.dumps({"type": each.type, "object": each.value}).encode() + b"\n")
            with objects.changed:
                objects.changed.wait(0.1)
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _text(self, text: str, lines: int) -> None:
        kept = text.splitlines(keepends=True)
        self._reply(200, "".join(kept[-lines:] if lines else kept).encode(), "text/plain")

    def _send(self, code: int, value: Object) -> None:
        self._reply(code, json.dumps(value).encode(), "application/json")

    def _reply(self, code: int, data: bytes, content: str) -> None:
        self.send_response(code)
        self.send_header("content-type", content)
        self.send_header("content-length", str(len(data)))
        if code == 429:
            self.send_header("retry-after", "1")
        self.end_headers()
        self.wfile.write(data)


def _chosen(query: dict[str, str]) -> Callable[[Object], bool]:
    """By label and field selectors of equality."""
    labels = [part.split("=", 1) for part in query.get("labelSelector", "").replace("==", "=").split(",") if part]
    names = dict(part.split("=", 1) for part in query.get("fieldSelector", "").split(",") if part)

    def fits(value: Object) -> bool:
        has = value["metadata"].get("labels") or {}
        metadata = {f"metadata.{key}": text for key, text in value["metadata"].items()}
        return all(has.get(key) == text for key, text in labels) and all(
            metadata.get(key) == text for key, text in names.items()
        )

    return fits


def _overlaid(value: Any, patch: Any) -> Any:
    """JSON Merge Patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for key, part in patch.items():
        if part is None:
            result.pop(key, None)
        else:
            result[key] = _overlaid(result.get(key), part)
    return result


def _discovery(path: str) -> Object:
    groups = sorted({(kind.group, kind.version) for kind in KINDS if kind.group})
    if path == "/version":
        return {"major": "1", "minor": "32", "gitVersion": "v1.32.4", "platform": "linux/amd64"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        return {
            "kind": "APIGroupList", "apiVersion": "v1",
            "groups": [
                {
                    "name": group, "versions": [{"groupVersion": f"{group}/{version}", "version": version}],
                    "preferredVersion": {"groupVersion": f"{group}/{version}", "version": version},
                }
                for group, version in groups
            ],
        }  # fmt: skip
    if path == "/openapi/v3":
        bases = sorted({kind.base for kind in KINDS})
        return {"paths": {base[1:]: {"serverRelativeURL": f"/openapi/v3{base}?hash=1"} for base in bases}}
    if path.startswith("/openapi/v3/"):
        return _openapi([kind for kind in KINDS if kind.base == path.removeprefix("/openapi/v3")])
    kinds = [kind for kind in KINDS if kind.base == path]
    if not kinds:
        raise Refused(404, "NotFound", "the server could not find the requested resource")
    verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
    return {
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": kinds[0].api_version,
        "resources": [
            {
                "name": kind.plural, "singularName": kind.name.lower(), "namespaced": kind.namespaced,
                "kind": kind.name, "verbs": verbs,
            }
            for kind in kinds
        ],
    }  # fmt: skip


def _openapi(kinds: list[Kind]) -> Object:
    """As much as kubectl looks at: that a patch may be validated by the server."""
    parameters = [{"name": name, "in": "query"} for name in ("dryRun", "fieldManager", "fieldValidation", "force")]
    paths = {}
    for kind in kinds:
        gvk = {"group": kind.group, "version": kind.version, "kind": kind.name}
        place = "/namespaces/{namespace}" if kind.namespaced else ""
        operation = {"parameters": parameters, "x-kubernetes-group-version-kind": gvk, "responses": {}}
        paths[f"{kind.base}{place}/{kind.plural}/{{name}}"] = {"patch": operation}
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.32.4"}, "paths": paths}
