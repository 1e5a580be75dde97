"""How pull requests follow their branches, when they may be merged, and what a merge does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.github import shapes
from tests.github.git_store import GitStore, Person
from tests.github.replies import PROTECTED, Refusal

if TYPE_CHECKING:
    from tests.github.state import Pull, State

WEB = Person(name="GitHub", email="noreply@github.com", date="")
"""Who commits what is merged by a button or the API."""


def source(state: State, pull_source: str) -> GitStore | None:
    """The repository that a pull request comes from; None where the fork is gone."""
    return state.store if pull_source == state.repository else state.forks.get(pull_source)


def shown(state: State, full_name: str, branch: str) -> str | None:
    """The commit at the branch's tip, fetched from the fork where it lies in one."""
    store = source(state, full_name)
    if store is None:
        return None
    if store is state.store:
        return state.known_refs.get(f"refs/heads/{branch}")
    sha = store.refs(f"refs/heads/{branch}").get(f"refs/heads/{branch}")
    if sha and state.store.kind(sha) is None:
        state.store.run("fetch", "--quiet", "--no-tags", str(store.path), f"refs/heads/{branch}")
    return sha


def follow(state: State, pull: Pull) -> None:
    """Brings an open pull request up to date with its two branches."""
    head, base = shown(state, pull.source, pull.branch), state.known_refs.get(f"refs/heads/{pull.base}")
    if base is None or head is None:
        close(state, pull, state.pusher)
        return
    if (head, base) == (pull.head, pull.base_sha):
        return
    moved, before = head != pull.head, pull.head
    pull.head, pull.base_sha = head, base
    state.store.set_ref(f"refs/pull/{pull.number}/head", head)
    if state.store.ancestor(head, base):
        actor = state.last_pusher(f"refs/heads/{pull.base}")
        if moved:
            close(state, pull, state.last_pusher(f"refs/heads/{pull.branch}"))
        else:
            _merged(state, pull, head, actor)
        return
    tree = state.store.merged_tree(base, head)
    pull.merge_commit = None
    if tree is not None:  # what GITHUB_SHA is in a run for the pull request
        pull.merge_commit = _commit(state, tree, [base, head], f"Merge {head} into {base}", pull.author)
        state.store.set_ref(f"refs/pull/{pull.number}/merge", pull.merge_commit)
    if moved:
        actor = state.last_pusher(f"refs/heads/{pull.branch}") if pull.source == state.repository else pull.author
        if not state.store.ancestor(before, head):
            state.note(pull.number, "head_ref_force_pushed", actor, commit_id=head)
        pull.updated_at = state.now()
        fire(state, pull, "synchronize", actor, before=before, after=head)


def fire(state: State, pull: Pull, action: str, by: str, **more: object) -> None:
    payload = {"number": pull.number, "pull_request": shapes.pull(state, pull, full=True), **more}
    state.fire("pull_request", action, payload, by)


def close(state: State, pull: Pull, by: str) -> None:
    pull.state, pull.closed_at, pull.closed_by, pull.updated_at = "closed", state.now(), by, state.now()
    state.note(pull.number, "closed", by, commit_id=None)
    fire(state, pull, "closed", by)


def reopen(state: State, pull: Pull, by: str) -> None:
    """Raises Refusal where it is merged or its branch is gone."""
    if pull.merged or shown(state, pull.source, pull.branch) is None:
        raise Refusal(422, "Validation Failed", errors=[{"resource": "PullRequest", "code": "custom", "field": "state",
                                                         "message": "state cannot be changed."}])  # fmt: skip
    pull.state, pull.closed_at, pull.closed_by, pull.updated_at = "open", None, None, state.now()
    state.note(pull.number, "reopened", by)
    fire(state, pull, "reopened", by)


def merge(state: State, pull: Pull, by: str, *, sha: str, method: str, title: str, message: str) -> str:
    """Merges by the API's rules and returns the new commit. Raises Refusal 405 or 409."""
    if sha and sha != pull.head:
        raise Refusal(409, "Head branch was modified. Review and try the merge again.")
    if pull.state != "open":
        raise Refusal(405, "Pull Request is not mergeable")
    if pull.draft:
        raise Refusal(405, "Pull Request is still a draft")
    if method not in state.settings.merge_methods:
        raise Refusal(405, f"{method.capitalize()} merges are not allowed on this repository.")
    tree = state.store.merged_tree(pull.base_sha, pull.head)
    if tree is None:
        raise Refusal(405, "Pull Request is not mergeable")
    demand(state, pull, by)
    subject = title or (
        f"Merge pull request #{pull.number} from {pull.source.split('/')[0]}/{pull.branch}"
        if method == "merge"
        else f"{pull.title} (#{pull.number})"
    )
    text = subject + (f"\n\n{message}" if message else f"\n\n{pull.title}" if method == "merge" else "")
    parents = [pull.base_sha, pull.head] if method == "merge" else [pull.base_sha]
    commit = _commit(state, tree, parents, text, by)
    state.signed.add(commit)
    _merged(state, pull, commit, by)
    state.move_ref(f"refs/heads/{pull.base}", commit, by)
    if state.settings.delete_branch_on_merge and pull.source == state.repository:
        state.move_ref(f"refs/heads/{pull.branch}", None, by)
        state.note(pull.number, "head_ref_deleted", by)
    return commit


def demand(state: State, pull: Pull, by: str) -> None:
    """Raises Refusal 405 where the base branch is protected and demands more."""
    protection = state.protections.get(pull.base)
    if protection is None or by in protection.bypass:
        return
    standing: dict[str, str] = {}
    for review in pull.reviews:
        login = (review["user"] or {}).get("login", "ghost")
        if review["state"] in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED"):
            standing[login] = (
                review["state"] if review["commit_id"] == pull.head or not protection.dismiss_stale else ""
            )
    able = {name: word for name, word in standing.items()
            if name in state.accounts and state.accounts[name].role in ("write", "admin")}  # fmt: skip
    if protection.last_push_approval:
        able.pop(state.last_pusher(f"refs/heads/{pull.branch}"), None)
    faults = []
    if "CHANGES_REQUESTED" in able.values() and protection.reviews:
        faults.append("Changes have been requested.")
    if list(able.values()).count("APPROVED") < protection.reviews:
        few = "review is" if protection.reviews == 1 else "reviews are"
        faults.append(f"At least {protection.reviews} approving {few} required by reviewers with write access.")
    good = {one["name"] for one in state.checks if one["head_sha"] == pull.head
            and one["conclusion"] in ("success", "neutral", "skipped")}  # fmt: skip
    good |= {one["context"] for one in state.statuses if one["sha"] == pull.head and one["state"] == "success"}
    faults += [f'Required status check "{name}" is expected.' for name in protection.checks if name not in good]
    if faults:
        words = f"Repository rule violations found\n\n{faults[0]}\n\n" if protection.ruleset else " ".join(faults)
        raise Refusal(405, words, about=PROTECTED)


def guard(state: State, ref: str, by: str, *, deletes: bool = False, forces: bool = False) -> None:
    """Raises Refusal 422 where a protected branch is not to be moved so."""
    protection = state.protections.get(ref.removeprefix("refs/heads/")) if ref.startswith("refs/heads/") else None
    if protection is None:
        return
    rules = "Repository rule violations found\n\n" if protection.ruleset else ""
    if deletes:
        raise Refusal(422, f"{rules}Cannot delete this branch", about=PROTECTED)
    if forces:
        raise Refusal(422, f"{rules}Cannot force-push to this branch", about=PROTECTED)
    if protection.pull_request and by not in protection.bypass:
        raise Refusal(422, f"{rules}Changes must be made through a pull request.", about=PROTECTED)
    if protection.checks and by not in protection.bypass:
        raise Refusal(422, f'{rules}Required status check "{protection.checks[0]}" is expected.', about=PROTECTED)


def _merged(state: State, pull: Pull, commit: str, by: str) -> None:
    now = state.now()
    pull.state, pull.merged, pull.merge_commit = "closed", True, commit
    pull.merged_at = pull.closed_at = pull.updated_at = now
    pull.merged_by = pull.closed_by = by
    state.note(pull.number, "merged", by, commit_id=commit)
    state.note(pull.number, "closed", by, commit_id=None)
    fire(state, pull, "closed", by)


def _commit(state: State, tree: str, parents: list[str], message: str, author: str) -> str:
    date = datetime.now(UTC).isoformat()
    committer = Person(name=WEB.name, email=WEB.email, date=date)
    return state.store.write_commit(tree, parents, message, state.person(author), committer)
