"""Git's objects and refs."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from tests.github import merging, shapes
from tests.github.git_store import Person
from tests.github.replies import INTEGRATION, REPO, Answer, Call, Refusal, answers, invalid, missing
from tests.github.state import State

READ, WRITE = "contents:read", "contents:write"
WORKFLOWS = ".github/workflows/"


@answers("POST", f"{REPO}/git/blobs", WRITE)
def create_blob(state: State, call: Call) -> Any:
    sha = state.store.write_blob(decoded(call.body["content"], call.body.get("encoding", "utf-8")))
    return Answer(status=201, body={"sha": sha, "url": f"{state.api}/git/blobs/{sha}"})


def decoded(text: str, encoding: str) -> bytes:
    if encoding != "base64":
        return text.encode()
    try:
        return base64.b64decode(text.replace("\n", ""), validate=True)
    except binascii.Error:
        raise Refusal(422, "content is not valid Base64") from None


@answers("GET", f"{REPO}/git/blobs/{{file_sha}}", READ)
def get_blob(state: State, call: Call) -> Any:
    sha = _object(state, call.arguments["file_sha"], "blob")
    data = state.store.blob(sha)
    return {"sha": sha, "node_id": f"B_{sha}", "url": f"{state.api}/git/blobs/{sha}", "size": len(data),
            "content": base64.encodebytes(data).decode(), "encoding": "base64"}  # fmt: skip


def _object(state: State, sha: str, kind: str) -> str:
    if state.store.kind(sha) != kind:
        raise missing()
    return sha


@answers("POST", f"{REPO}/git/trees", WRITE)
def create_tree(state: State, call: Call) -> Any:
    base = call.body.get("base_tree")
    changes: list[tuple[str, str, str | None]] = []
    for entry in call.body["tree"]:
        path, sha = entry.get("path", ""), entry.get("sha")
        if not path or path.startswith("/") or ".." in path.split("/") or ".git" in path.split("/"):
            raise Refusal(422, f"tree.path contains a malformed path component: {path}")
        if path.startswith(WORKFLOWS) and not call.token.may("workflows:write"):
            raise Refusal(403, INTEGRATION, about="https://docs.github.com/rest/git/trees#create-a-tree")
        if "content" in entry:
            sha = state.store.write_blob(entry["content"].encode())
        elif sha is not None and state.store.kind(sha) is None:
            raise Refusal(422, f"tree.sha {sha} is not a valid blob")
        changes.append((entry.get("mode", "100644"), path, sha))
    if base is not None:
        base = tree_of(state, base)
    tree = state.store.write_tree(base, changes, state.scratch / "index")
    return Answer(status=201, body=_tree(state, tree))


def tree_of(state: State, sha: str) -> str:
    """The tree that is named, or that of the commit that is."""
    kind = state.store.kind(sha)
    if kind == "commit":
        commit = state.store.commit(sha)
        return commit.tree if commit else sha
    if kind != "tree":
        raise Refusal(422, "base_tree is not a valid tree oid") if kind else missing()
    return sha


def _tree(state: State, sha: str, *, recursive: bool = False) -> dict[str, Any]:
    rows = []
    for mode, kind, digest, path in state.store.entries(sha, recursive=recursive):
        row = {"path": path, "mode": mode, "type": kind, "sha": digest, "url": f"{state.api}/git/{kind}s/{digest}"}
        rows.append(row | ({"size": len(state.store.blob(digest))} if kind == "blob" else {}))
    return {"sha": sha, "url": f"{state.api}/git/trees/{sha}", "truncated": False, "tree": rows}


@answers("GET", f"{REPO}/git/trees/{{tree_sha}}", READ)
def get_tree(state: State, call: Call) -> Any:
    named = call.arguments["tree_sha"]
    sha = named if state.store.kind(named) else state.store.sha(named)
    if sha is None:
        raise missing()
    return _tree(state, tree_of(state, sha), recursive=bool(call.query.get("recursive")))


@answers("POST", f"{REPO}/git/commits", WRITE)
def create_commit(state: State, call: Call) -> Any:
    body, own = call.body, state.person(call.login)
    if state.store.kind(body["tree"]) != "tree":
        raise Refusal(422, "Tree SHA does not exist")
    for parent in body.get("parents", ()):
        if state.store.kind(parent) != "commit":
            raise Refusal(422, "Parent SHA does not exist or is not a commit object")
    author = given(body.get("author"), own)
    committer = given(body.get("committer"), author if "author" in body else own)
    sha = state.store.write_commit(body["tree"], body.get("parents", ()), body["message"], author, committer)
    if not call.token.of_person and "author" not in body and "committer" not in body:
        state.signed.add(sha)
    return Answer(status=201, body=shapes.git_commit(state, sha))


def given(value: Any, other: Person) -> Person:
    if not value:
        return other
    return Person(name=value["name"], email=value["email"], date=value.get("date") or other.date)


@answers("GET", f"{REPO}/git/commits/{{commit_sha}}", READ)
def get_git_commit(state: State, call: Call) -> Any:
    return shapes.git_commit(state, _object(state, call.arguments["commit_sha"], "commit"))


@answers("POST", f"{REPO}/git/tags", WRITE)
def create_tag(state: State, call: Call) -> Any:
    body, own = call.body, state.person(call.login)
    if state.store.kind(body["object"]) != body["type"]:
        raise invalid("Tag", "object", "invalid")
    tagger = given(body.get("tagger"), own)
    text = (
        f"object {body['object']}\ntype {body['type']}\ntag {body['tag']}\n"
        f"tagger {tagger.name} <{tagger.email}> 1700000000 +0000\n\n{body['message']}\n"
    )
    sha = state.store.run("mktag", data=text.encode()).decode().strip()
    return Answer(status=201, body=_tag(state, sha))


@answers("GET", f"{REPO}/git/tags/{{tag_sha}}", READ)
def get_tag(state: State, call: Call) -> Any:
    return _tag(state, _object(state, call.arguments["tag_sha"], "tag"))


def _tag(state: State, sha: str) -> dict[str, Any]:
    text = state.store.run("cat-file", "tag", sha).decode()
    head, _, message = text.partition("\n\n")
    fields = dict(line.split(" ", 1) for line in head.splitlines())
    name, _, rest = fields["tagger"].partition(" <")
    at = f"{state.api}/git/{fields['type']}s/{fields['object']}"
    return {
        "node_id": f"T_{sha}", "sha": sha, "url": f"{state.api}/git/tags/{sha}", "tag": fields["tag"],
        "message": message.rstrip("\n"), "tagger": {"name": name, "email": rest.split(">")[0], "date": state.now()},
        "object": {"sha": fields["object"], "type": fields["type"], "url": at},
        "verification": shapes.verification(state, sha),
    }  # fmt: skip


def _ref(state: State, name: str, sha: str) -> dict[str, Any]:
    kind = state.store.kind(sha)
    return {"ref": name, "node_id": f"REF_{name}", "url": f"{state.api}/git/{name}",
            "object": {"type": kind, "sha": sha, "url": f"{state.api}/git/{kind}s/{sha}"}}  # fmt: skip


@answers("GET", f"{REPO}/git/ref/{{ref}}", READ)
def get_ref(state: State, call: Call) -> Any:
    name = f"refs/{call.arguments['ref']}"
    sha = state.store.refs(name).get(name)
    if sha is None:
        raise missing()
    return _ref(state, name, sha)


@answers("GET", f"{REPO}/git/matching-refs/{{ref}}", READ)
def matching_refs(state: State, call: Call) -> Any:
    prefix = f"refs/{call.arguments['ref']}"
    return [_ref(state, name, sha) for name, sha in state.store.refs("refs/").items() if name.startswith(prefix)]


@answers("POST", f"{REPO}/git/refs", WRITE)
def create_ref(state: State, call: Call) -> Any:
    name, sha = call.body["ref"], call.body["sha"]
    if not name.startswith("refs/") or name.count("/") < 2:
        raise Refusal(422, "Reference name must start with 'refs' and have at least two slashes.")
    if state.store.ask("check-ref-format", name) is None:
        raise Refusal(422, f"{name} is not a valid ref name.")
    if state.store.refs(name).get(name):
        raise Refusal(422, "Reference already exists")
    if state.store.kind(sha) is None:
        raise Refusal(422, "Object does not exist")
    merging.guard(state, name, call.login)
    state.move_ref(name, sha, call.login)
    return Answer(status=201, body=_ref(state, name, sha))


@answers("PATCH", f"{REPO}/git/refs/{{ref}}", WRITE)
def update_ref(state: State, call: Call) -> Any:
    name, sha = f"refs/{call.arguments['ref']}", call.body["sha"]
    before = state.store.refs(name).get(name)
    if before is None:
        raise Refusal(422, "Reference does not exist")
    if state.store.kind(sha) is None:
        raise Refusal(422, "Object does not exist")
    forward = state.store.kind(sha) == "commit" and state.store.ancestor(before, sha)
    if not forward and not call.body.get("force", False):
        raise Refusal(422, "Update is not a fast forward")
    merging.guard(state, name, call.login, forces=not forward)
    state.move_ref(name, sha, call.login)
    return _ref(state, name, sha)


@answers("DELETE", f"{REPO}/git/refs/{{ref}}", WRITE)
def delete_ref(state: State, call: Call) -> Any:
    name = f"refs/{call.arguments['ref']}"
    if state.store.refs(name).get(name) is None:
        raise Refusal(422, "Reference does not exist")
    merging.guard(state, name, call.login, deletes=True)
    state.move_ref(name, None, call.login)
    return Answer(status=204)
