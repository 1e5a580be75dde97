"""GitHub's JSON of the things that several operations answer. What is left out, the contract fills with blanks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.github.git_store import Person
    from tests.github.state import Moved, Pull, State

STATUS_WORDS = {"A": "added", "M": "modified", "D": "removed", "R": "renamed", "C": "copied", "T": "changed"}


def user(state: State, login: str | None) -> dict[str, Any]:
    """A simple user; somebody who deleted the account is the ghost."""
    account = state.accounts.get(login or "")
    if account is None:
        return user_of("ghost", 10137, "User", state.url)
    return user_of(account.login, account.id, account.kind, state.url)


def nullable_user(state: State, login: str | None) -> dict[str, Any] | None:
    """As most objects name their author: null where the account is gone."""
    return user(state, login) if login in state.accounts else None


def user_of(login: str, number: int, kind: str, url: str) -> dict[str, Any]:
    at = f"{url}/users/{login.replace('[', '%5B').replace(']', '%5D')}"
    links = (
        "followers",
        "following",
        "gists",
        "starred",
        "subscriptions",
        "orgs",
        "repos",
        "events",
        "received_events",
    )
    name = {"orgs": "organizations"}
    return {
        "login": login, "id": number, "node_id": f"U_{number}", "type": kind, "site_admin": False, "gravatar_id": "",
        "avatar_url": f"{url}/avatars/{number}", "url": at, "html_url": f"{url}/{login.removesuffix('[bot]')}",
        **{f"{name.get(link, link)}_url": f"{at}/{link}" for link in links},
    }  # fmt: skip


def repository(state: State, full_name: str = "") -> dict[str, Any]:
    full_name = full_name or state.repository
    owner, name = full_name.split("/")
    fork = full_name != state.repository
    account = user(state, owner) if owner in state.accounts else user_of(owner, 1, "Organization", state.url)
    return {
        "id": 7 if not fork else 7000 + len(full_name), "node_id": f"R_{full_name}", "name": name,
        "full_name": full_name, "private": state.private, "visibility": "private" if state.private else "public",
        "fork": fork, "owner": account,
        "html_url": f"{state.url}/{full_name}", "url": f"{state.url}/repos/{full_name}", "default_branch": state.main,
        "description": None, "clone_url": f"{state.url}/{full_name}.git", "git_url": f"git://localhost/{full_name}.git",
        "ssh_url": f"git@localhost:{full_name}.git", "archived": False, "disabled": False, "topics": [],
        "allow_merge_commit": "merge" in state.settings.merge_methods,
        "allow_squash_merge": "squash" in state.settings.merge_methods,
        "allow_rebase_merge": "rebase" in state.settings.merge_methods,
        "delete_branch_on_merge": state.settings.delete_branch_on_merge, "allow_forking": True,
        "forks": len(state.forks), "forks_count": len(state.forks), "has_issues": True, "size": 1,
        "open_issues": 0, "open_issues_count": 0, "watchers": 0, "watchers_count": 0, "stargazers_count": 0,
    }  # fmt: skip


def pull(state: State, one: Pull, *, full: bool = False) -> dict[str, Any]:
    at, page = f"{state.api}/pulls/{one.number}", f"{state.url}/{state.repository}/pull/{one.number}"
    issue = f"{state.api}/issues/{one.number}"
    source, owner = one.source, one.source.split("/")[0]
    base_sha = one.base_sha
    value = {
        "id": 100_000 + one.number, "node_id": f"PR_{one.number}", "number": one.number, "url": at, "html_url": page,
        "diff_url": f"{page}.diff", "patch_url": f"{page}.patch", "issue_url": issue,
        "commits_url": f"{at}/commits", "review_comments_url": f"{at}/comments",
        "review_comment_url": f"{at}/comments{{/number}}", "comments_url": f"{issue}/comments",
        "statuses_url": f"{state.api}/statuses/{one.head}", "state": one.state, "locked": False, "title": one.title,
        "user": user(state, one.author), "body": one.body, "draft": one.draft,
        "created_at": one.created_at, "updated_at": one.updated_at, "closed_at": one.closed_at,
        "merged_at": one.merged_at, "merge_commit_sha": one.merge_commit, "author_association": "CONTRIBUTOR",
        "labels": [label(state, name) for name in one.labels], "assignee": None, "assignees": [],
        "requested_reviewers": [], "requested_teams": [], "milestone": None, "auto_merge": None,
        "head": {"label": f"{owner}:{one.branch}", "ref": one.branch, "sha": one.head, "user": _owner(state, source),
                 "repo": repository(state, source) if source in (state.repository, *state.forks) else None},
        "base": {"label": f"{state.owner}:{one.base}", "ref": one.base, "sha": base_sha,
                 "user": _owner(state, state.repository), "repo": repository(state)},
        "_links": {name: {"href": href} for name, href in {
            "self": at, "html": page, "issue": issue, "comments": f"{issue}/comments",
            "review_comments": f"{at}/comments", "review_comment": f"{at}/comments{{/number}}",
            "commits": f"{at}/commits", "statuses": f"{state.api}/statuses/{one.head}"}.items()},
    }  # fmt: skip
    return value | _measures(state, one) if full else value


def _owner(state: State, full_name: str) -> dict[str, Any]:
    owner: dict[str, Any] = repository(state, full_name)["owner"]
    return owner


def _measures(state: State, one: Pull) -> dict[str, Any]:
    """What only a single pull request tells."""
    before = state.store.merge_base(one.base_sha, one.head) or one.base_sha
    counts = state.store.counts(before, one.head)
    open_one = one.state == "open"
    mergeable: bool | None = state.store.merged_tree(one.base_sha, one.head) is not None if open_one else None
    if open_one and state.slow_mergeability:
        state.slow_mergeability -= 1
        mergeable = None
    word = "unknown" if mergeable is None else "clean" if mergeable else "dirty"
    return {
        "merged": one.merged, "mergeable": mergeable, "rebaseable": mergeable, "mergeable_state": word,
        "merged_by": nullable_user(state, one.merged_by), "maintainer_can_modify": False,
        "comments": sum(entry["issue_number"] == one.number for entry in state.comments), "review_comments": 0,
        "commits": len(state.store.commits(f"{before}..{one.head}")), "changed_files": len(counts),
        "additions": sum(plus for plus, _ in counts.values()), "deletions": sum(minus for _, minus in counts.values()),
    }  # fmt: skip


def label(state: State, name: str) -> dict[str, Any]:
    return state.labels.setdefault(
        name.lower(),
        {"id": next(state.ids), "node_id": f"LA_{name}", "name": name, "color": "ededed", "default": False,
         "description": None, "url": f"{state.api}/labels/{name}"},
    )  # fmt: skip


def git_person(person: Person) -> dict[str, str]:
    return {"name": person.name, "email": person.email, "date": person.date}


def verification(state: State, sha: str) -> dict[str, Any]:
    """GitHub signs what a bot commits through the API in its own name, and nothing else here is signed."""
    signed = sha in state.signed
    return {
        "verified": signed, "reason": "valid" if signed else "unsigned", "signature": "web-flow" if signed else None,
        "payload": "" if signed else None, "verified_at": state.now() if signed else None,
    }  # fmt: skip


def git_commit(state: State, sha: str) -> dict[str, Any]:
    """The object itself, as /git/commits answers it."""
    one = state.store.commit(sha)
    assert one is not None, sha
    at = f"{state.api}/git/commits/{one.sha}"
    return {
        "sha": one.sha, "node_id": f"C_{one.sha}", "url": at,
        "html_url": f"{state.url}/{state.repository}/commit/{sha}",
        "author": git_person(one.author), "committer": git_person(one.committer), "message": one.message,
        "tree": {"sha": one.tree, "url": f"{state.api}/git/trees/{one.tree}"},
        "parents": [{"sha": parent, "url": f"{state.api}/git/commits/{parent}",
                     "html_url": f"{state.url}/{state.repository}/commit/{parent}"} for parent in one.parents],
        "verification": verification(state, one.sha),
    }  # fmt: skip


def commit(state: State, sha: str, *, files: bool = False) -> dict[str, Any]:
    """With who stands behind it as far as GitHub knows their e-mail, as /commits answers it."""
    inner = git_commit(state, sha)
    one = state.store.commit(sha)
    assert one is not None
    at = f"{state.api}/commits/{one.sha}"
    value = {
        "sha": one.sha, "node_id": f"C_{one.sha}", "url": at, "html_url": inner["html_url"],
        "comments_url": f"{at}/comments",
        "author": _known(state, one.author), "committer": _known(state, one.committer),
        "parents": inner["parents"],
        "commit": {key: inner[key] for key in ("author", "committer", "message", "tree", "verification")}
        | {"url": inner["url"], "comment_count": 0},
    }  # fmt: skip
    if files:
        rows = changed_files(state, one.parents[0] if one.parents else EMPTY_TREE, sha)
        plus, minus = (sum(row[key] for row in rows) for key in ("additions", "deletions"))
        value |= {"files": rows, "stats": {"additions": plus, "deletions": minus, "total": plus + minus}}
    return value


EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def _known(state: State, person: Person) -> dict[str, Any] | None:
    for account in state.accounts.values():
        if person.email.lower() in (f"{account.id}+{account.login}@users.noreply.github.com".lower(),):
            return user(state, account.login)
    return None


def changed_files(state: State, before: str, after: str) -> list[dict[str, Any]]:
    counts = state.store.counts(before, after)
    rows = []
    for change in state.store.changes(before, after):
        path = change["filename"]
        plus, minus = counts.get(path, (0, 0))
        row: dict[str, Any] = {
            "sha": change["sha"], "filename": path, "status": STATUS_WORDS[change["status"][0]], "additions": plus,
            "deletions": minus, "changes": plus + minus, "patch": state.store.patch(before, after, path),
            "blob_url": f"{state.url}/{state.repository}/blob/{after}/{path}",
            "raw_url": f"{state.url}/{state.repository}/raw/{after}/{path}",
            "contents_url": f"{state.api}/contents/{path}?ref={after}",
        }  # fmt: skip
        rows.append(row | ({"previous_filename": change["previous"]} if change["previous"] else {}))
    return rows


def push(state: State, move: Moved) -> dict[str, Any]:
    """The payload of a push event."""
    made, gone = set(move.before) == {"0"}, set(move.after) == {"0"}
    shown = None if gone or state.store.kind(move.after) != "commit" else git_commit(state, move.after)
    head = shown and {"id": shown["sha"], "tree_id": shown["tree"]["sha"], "message": shown["message"],
                      "timestamp": shown["author"]["date"], "author": shown["author"], "committer": shown["committer"],
                      "url": shown["html_url"], "distinct": True, "added": [], "removed": [],
                      "modified": []}  # fmt: skip
    return {
        "ref": move.ref, "before": move.before, "after": move.after, "created": made, "deleted": gone,
        "forced": move.forced, "base_ref": None, "head_commit": head, "commits": [head] if head else [],
        "compare": f"{state.url}/{state.repository}/compare/{move.before[:12]}...{move.after[:12]}",
        "pusher": {"name": move.actor, "email": f"{move.actor}@users.noreply.github.com"},
    }  # fmt: skip
