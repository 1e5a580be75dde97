"""Commits and comparisons, files, merges of branches, and who pushed what."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode

from tests.github import merging, shapes
from tests.github.git_routes import READ, WORKFLOWS, WRITE, decoded, given, tree_of
from tests.github.replies import INTEGRATION, REPO, Answer, Call, Page, Refusal, answers, missing
from tests.github.state import NO_COMMIT, State


@answers("GET", f"{REPO}/commits", READ)
def list_commits(state: State, call: Call) -> Any:
    start = state.store.sha(call.query.get("sha", state.main))
    if start is None:
        raise missing()
    path = ("--", call.query["path"]) if "path" in call.query else ()
    return Page(rows=state.store.commits(start, *path), shape=lambda sha: shapes.commit(state, sha))


@answers("GET", f"{REPO}/commits/{{ref}}", READ)
def get_commit(state: State, call: Call) -> Any:
    sha = state.store.sha(call.arguments["ref"])
    if sha is None:
        raise Refusal(422, f"No commit found for SHA: {call.arguments['ref']}")
    if "sha" in call.accept:
        return Answer(status=200, body=sha.encode(), headers={"Content-Type": "application/vnd.github.sha"})
    return shapes.commit(state, sha, files=True)


@answers("GET", f"{REPO}/compare/{{basehead}}", READ)
def compare(state: State, call: Call) -> Any:
    """At most 300 files, and of the commits one page."""
    one, _, other = call.arguments["basehead"].partition("...")
    base, head = (state.store.sha(name.rpartition(":")[2]) for name in (one, other))
    if base is None or head is None:
        raise missing()
    start = state.store.merge_base(base, head)
    if start is None:
        raise Refusal(404, f"No common ancestor between {one} and {other}.")
    ahead = state.store.commits("--reverse", f"{base}..{head}")
    behind = state.store.commits(f"{head}..{base}")
    word = "diverged" if ahead and behind else "ahead" if ahead else "behind" if behind else "identical"
    at, page = f"{state.api}/compare/{one}...{other}", f"{state.url}/{state.repository}/compare/{one}...{other}"
    size, number = min(int(call.query.get("per_page", 250)), 250), int(call.query.get("page", 1))
    shown = ahead[(number - 1) * size : number * size]
    return {
        "url": at, "html_url": page, "permalink_url": page, "diff_url": f"{page}.diff", "patch_url": f"{page}.patch",
        "base_commit": shapes.commit(state, base), "merge_base_commit": shapes.commit(state, start), "status": word,
        "ahead_by": len(ahead), "behind_by": len(behind), "total_commits": len(ahead),
        "commits": [shapes.commit(state, sha) for sha in shown],
        "files": shapes.changed_files(state, start, head)[:300] if number == 1 else [],
    }  # fmt: skip


@answers("GET", f"{REPO}/contents/{{path}}", READ)
def get_contents(state: State, call: Call) -> Any:
    path, ref = call.arguments["path"].strip("/"), call.query.get("ref", state.main)
    commit = state.store.sha(ref)
    if commit is None:
        raise Refusal(404, f"No commit found for the ref {ref}")
    entry = state.store.entry(commit, path)
    if entry is None:
        raise missing()
    if entry[1] == "tree":
        rows = state.store.entries(entry[2])
        return [_content(state, kind, sha, f"{path}/{name}", ref) for _, kind, sha, name in rows]
    if "raw" in call.accept:
        return Answer(
            status=200, body=state.store.blob(entry[2]), headers={"Content-Type": "application/vnd.github.raw"}
        )
    data = state.store.blob(entry[2])
    value = _content(state, entry[1], entry[2], path, ref)
    if len(data) > 1_000_000:  # GitHub leaves the content of larger files to /git/blobs
        return value | {"encoding": "none", "content": ""}
    return value | {"encoding": "base64", "content": base64.encodebytes(data).decode()}


def _content(state: State, kind: str, sha: str, path: str, ref: str) -> dict[str, Any]:
    at, page = f"{state.api}/contents/{path}?ref={ref}", f"{state.url}/{state.repository}/blob/{ref}/{path}"
    git = f"{state.api}/git/{kind}s/{sha}"
    return {
        "type": {"blob": "file", "tree": "dir"}.get(kind, "submodule"), "name": path.rpartition("/")[2], "path": path,
        "sha": sha, "size": len(state.store.blob(sha)) if kind == "blob" else 0, "url": at, "html_url": page,
        "git_url": git, "download_url": page.replace("/blob/", "/raw/", 1) if kind == "blob" else None,
        "_links": {"self": at, "git": git, "html": page},
    }  # fmt: skip


@answers("PUT", f"{REPO}/contents/{{path}}", WRITE)
def put_contents(state: State, call: Call) -> Any:
    path, body = call.arguments["path"].strip("/"), call.body
    branch = body.get("branch", state.main)
    ref = f"refs/heads/{branch}"
    onto = state.known_refs.get(ref)
    if onto is None:
        raise Refusal(404, f"Branch {branch} not found")
    if path.startswith(WORKFLOWS) and not call.token.may("workflows:write"):
        raise Refusal(403, INTEGRATION)
    there = state.store.entry(onto, path)
    if there and not body.get("sha"):
        raise Refusal(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if there and there[2] != body.get("sha"):
        raise Refusal(409, f"{path} does not match {body['sha']}")
    try:
        merging.guard(state, ref, call.login)
    except Refusal as refusal:
        raise Refusal(409, f"Could not update file: {refusal.body['message']}") from None
    blob = state.store.write_blob(decoded(body["content"], "base64"))
    own = state.person(call.login)
    author = given(body.get("author"), own)
    tree = state.store.write_tree(tree_of(state, onto), [("100644", path, blob)], state.scratch / "index")
    sha = state.store.write_commit(tree, [onto], body["message"], author, own)
    state.move_ref(ref, sha, call.login)
    value = {"content": _content(state, "blob", blob, path, branch), "commit": shapes.git_commit(state, sha)}
    return Answer(status=200 if there else 201, body=value)


@answers("POST", f"{REPO}/merges", WRITE)
def merge_branch(state: State, call: Call) -> Any:
    ref = f"refs/heads/{call.body['base']}"
    base, head = state.known_refs.get(ref), state.store.sha(call.body["head"])
    if base is None or head is None:
        raise Refusal(404, "Base does not exist" if base is None else "Head does not exist")
    if state.store.ancestor(head, base):
        return Answer(status=204)
    tree = state.store.merged_tree(base, head)
    if tree is None:
        raise Refusal(409, "Merge conflict")
    merging.guard(state, ref, call.login)
    own = state.person(call.login)
    message = call.body.get("commit_message") or f"Merge {call.body['head']} into {call.body['base']}"
    sha = state.store.write_commit(tree, [base, head], message, own, own)
    state.move_ref(ref, sha, call.login)
    return Answer(status=201, body=shapes.commit(state, sha))


@answers("GET", f"{REPO}/activity", READ)
def activity(state: State, call: Call) -> Any:
    """Newest first unless it is asked otherwise. GitHub pages it by cursors: `after` is where the page before ended."""
    query = call.query
    ref, kind = query.get("ref", ""), query.get("activity_type", "")
    merges = {pull.merge_commit for pull in state.pulls.values() if pull.merged}
    rows = []
    for move in state.moves:
        word = ("branch_creation" if move.before == NO_COMMIT else "branch_deletion" if move.after == NO_COMMIT
                else "pr_merge" if move.after in merges else "force_push" if move.forced else "push")  # fmt: skip
        if ref in ("", move.ref, move.ref.removeprefix("refs/heads/")) and kind in ("", word):
            rows.append({"id": move.id, "node_id": f"A_{move.id}", "before": move.before, "after": move.after,
                         "ref": move.ref, "timestamp": move.time, "activity_type": word,
                         "actor": shapes.nullable_user(state, move.actor)})  # fmt: skip
    rows = [row for row in rows if query.get("actor") in (None, (row["actor"] or {}).get("login"))]
    rows = rows if query.get("direction") == "asc" else rows[::-1]
    start = next((at for at, row in enumerate(rows, start=1) if str(row["id"]) == query.get("after")), 0)
    shown = rows[start : start + min(int(query.get("per_page", 30)), 100)]
    headers = {}
    if shown and shown[-1] is not rows[-1]:
        link = urlencode({**query, "after": shown[-1]["id"]})
        headers["Link"] = f'<{state.api}/activity?{link}>; rel="next"'
    return Answer(status=200, body=shown, headers=headers)
