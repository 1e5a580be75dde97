"""Pull requests and their reviews."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.github import merging, shapes
from tests.github.replies import INTEGRATION, REPO, Answer, Call, Page, Refusal, answers, invalid, missing
from tests.github.state import Pull, State

ONE = f"{REPO}/pulls/{{pull_number}}"
VERDICTS = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}
NOT_PERMITTED = "GitHub Actions is not permitted to create or approve pull requests."


def wanted(state: State, call: Call) -> Pull:
    number = call.arguments["pull_number"]
    pull = state.pulls.get(int(number)) if number.isdigit() else None
    if pull is None:
        raise missing()
    return pull


@answers("GET", f"{REPO}/pulls", "pull_requests:read")
def list_pulls(state: State, call: Call) -> Any:
    asked, head = call.query.get("state", "open"), call.query.get("head", "")
    rows = [
        pull
        for pull in state.pulls.values()
        if asked in ("all", pull.state)
        and call.query.get("base", pull.base) == pull.base
        # GitHub takes no notice of a head without its owner
        and (":" not in head or head == f"{pull.source.split('/')[0]}:{pull.branch}")
    ]
    by_update = call.query.get("sort") == "updated"
    rows.sort(key=lambda pull: (pull.updated_at if by_update else pull.created_at, pull.number))
    up = call.query.get("direction", "desc" if call.query.get("sort", "created") == "created" else "asc") == "asc"
    return Page(rows=rows if up else rows[::-1], shape=lambda pull: shapes.pull(state, pull))


@answers("POST", f"{REPO}/pulls", "pull_requests:write")
def create_pull(state: State, call: Call) -> Any:
    if call.token.of_job and not state.settings.actions_may_open_pull_requests:
        raise Refusal(403, NOT_PERMITTED)
    pull = open_pull(state, call.body, call.login)
    return Answer(status=201, body=shapes.pull(state, pull, full=True))


def open_pull(state: State, body: Mapping[str, Any], login: str) -> Pull:
    """Raises Refusal 422 where there is nothing to merge, or there is one already."""
    owner, _, branch = body["head"].rpartition(":")
    owner = owner or state.owner
    full_name = next((name for name in (state.repository, *state.forks) if name.split("/")[0] == owner), "")
    head = merging.shown(state, full_name, branch) if full_name else None
    base = state.known_refs.get(f"refs/heads/{body['base']}")
    if head is None:
        raise invalid("PullRequest", "head", "invalid")
    if base is None:
        raise invalid("PullRequest", "base", "invalid")
    if any((pull.source, pull.branch, pull.base, pull.state) == (full_name, branch, body["base"], "open")
           for pull in state.pulls.values()):  # fmt: skip
        raise Refusal(422, "Validation Failed", errors=[{
            "resource": "PullRequest", "code": "custom",
            "message": f"A pull request already exists for {owner}:{branch}."}])  # fmt: skip
    if state.store.ancestor(head, base):
        raise Refusal(422, "Validation Failed", errors=[{
            "resource": "PullRequest", "code": "custom",
            "message": f"No commits between {body['base']} and {branch}"}])  # fmt: skip
    number, now = next(state.numbers), state.now()
    pull = state.pulls[number] = Pull(
        number=number, title=body.get("title", ""), body=body.get("body"), branch=branch, base=body["base"],
        author=login, source=full_name, head=head, base_sha="", created_at=now, updated_at=now,
        draft=bool(body.get("draft", False)),
    )  # fmt: skip
    merging.follow(state, pull)
    merging.fire(state, pull, "opened", login)
    return pull


@answers("GET", ONE, "pull_requests:read")
def get_pull(state: State, call: Call) -> Any:
    return shapes.pull(state, wanted(state, call), full=True)


@answers("PATCH", ONE, "pull_requests:write")
def update_pull(state: State, call: Call) -> Any:
    pull, body = wanted(state, call), call.body
    pull.title, pull.body = body.get("title", pull.title), body.get("body", pull.body)
    if "base" in body:
        if f"refs/heads/{body['base']}" not in state.known_refs:
            raise invalid("PullRequest", "base", "invalid")
        pull.base, pull.base_sha = body["base"], ""
        merging.follow(state, pull)
    if body.get("state", pull.state) != pull.state:
        (merging.close if body["state"] == "closed" else merging.reopen)(state, pull, call.login)
    elif pull.state == "open":
        merging.fire(state, pull, "edited", call.login)
    pull.updated_at = state.now()
    return shapes.pull(state, pull, full=True)


@answers("GET", f"{ONE}/commits", "pull_requests:read")
def pull_commits(state: State, call: Call) -> Any:
    pull = wanted(state, call)
    rows = state.store.commits("--reverse", f"{_start(state, pull)}..{pull.head}")[:250]
    return Page(rows=rows, shape=lambda sha: shapes.commit(state, sha))


@answers("GET", f"{ONE}/files", "pull_requests:read")
def pull_files(state: State, call: Call) -> Any:
    pull = wanted(state, call)
    return Page(rows=shapes.changed_files(state, _start(state, pull), pull.head)[:3000])


def _start(state: State, pull: Pull) -> str:
    return state.store.merge_base(pull.base_sha, pull.head) or pull.base_sha


@answers("GET", f"{ONE}/merge", "pull_requests:read contents:read")
def is_merged(state: State, call: Call) -> Any:
    if not wanted(state, call).merged:
        raise missing()
    return Answer(status=204)


@answers("PUT", f"{ONE}/merge", "contents:write")
def merge_pull(state: State, call: Call) -> Any:
    body = call.body
    sha = merging.merge(
        state, wanted(state, call), call.login, sha=body.get("sha", ""), method=body.get("merge_method", "merge"),
        title=body.get("commit_title", ""), message=body.get("commit_message", ""),
    )  # fmt: skip
    return {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}


@answers("GET", f"{ONE}/reviews", "pull_requests:read")
def list_reviews(state: State, call: Call) -> Any:
    # what somebody has begun and not sent is shown to nobody else
    pull = wanted(state, call)
    return Page(rows=[one for one in pull.reviews if one["state"] != "PENDING" or _is(one, call.login)])


@answers("GET", f"{ONE}/reviews/{{review_id}}", "pull_requests:read")
def get_review(state: State, call: Call) -> Any:
    return _review(wanted(state, call), call)


@answers("POST", f"{ONE}/reviews", "pull_requests:write")
def create_review(state: State, call: Call) -> Any:
    pull, kind = wanted(state, call), call.body.get("event", "PENDING")
    if kind == "APPROVE" and call.token.of_job and not state.settings.actions_may_open_pull_requests:
        raise Refusal(422, "Unprocessable Entity", errors=["GitHub Actions is not permitted to approve pull requests."])
    if kind in ("REQUEST_CHANGES", "COMMENT") and not call.body.get("body"):
        raise Refusal(422, "Unprocessable Entity", errors=["Body can't be blank"])
    verdict = VERDICTS.get(kind, "PENDING")
    return add_review(state, pull, call.login, verdict, call.body.get("commit_id") or "", call.body.get("body") or "")


def add_review(state: State, pull: Pull, login: str, verdict: str, commit: str, body: str) -> dict[str, Any]:
    """Raises Refusal 422 where the author judges their own."""
    if login == pull.author and verdict in ("APPROVED", "CHANGES_REQUESTED"):
        what = "approve" if verdict == "APPROVED" else "request changes on"
        raise Refusal(422, "Unprocessable Entity", errors=[f"Can not {what} your own pull request"])
    number = next(state.ids)
    at = f"{state.url}/{state.repository}/pull/{pull.number}"
    review: dict[str, Any] = {
        "id": number, "node_id": f"PRR_{number}", "user": shapes.user(state, login), "body": body, "state": verdict,
        "html_url": f"{at}#pullrequestreview-{number}", "pull_request_url": f"{state.api}/pulls/{pull.number}",
        "author_association": "MEMBER", "commit_id": commit or pull.head,
        "_links": {"html": {"href": f"{at}#pullrequestreview-{number}"},
                   "pull_request": {"href": f"{state.api}/pulls/{pull.number}"}},
    }  # fmt: skip
    if verdict != "PENDING":
        review["submitted_at"] = state.now()
    pull.reviews.append(review)
    pull.updated_at = state.now()
    if verdict != "PENDING":
        state.note(pull.number, "reviewed", login, state=verdict.lower(), commit_id=review["commit_id"])
        _fire(state, pull, review, "submitted", login)
    return review


def _fire(state: State, pull: Pull, review: dict[str, Any], action: str, by: str) -> None:
    """In events, unlike in the API, a review's state is written small."""
    shown = review | {"state": review["state"].lower()}
    payload = {"review": shown, "pull_request": shapes.pull(state, pull), "number": pull.number}
    state.fire("pull_request_review", action, payload, by)


@answers("PUT", f"{ONE}/reviews/{{review_id}}/dismissals", "pull_requests:write")
def dismiss(state: State, call: Call) -> Any:
    pull = wanted(state, call)
    role = state.accounts[call.login].role if call.token.of_person else "write"
    if role not in ("write", "admin"):
        raise Refusal(403, INTEGRATION)
    return dismiss_review(state, pull, _review(pull, call), call.login, call.body["message"])


def dismiss_review(state: State, pull: Pull, review: dict[str, Any], by: str, message: str) -> dict[str, Any]:
    """It keeps its place, its commit and the time when it was given."""
    if review["state"] not in ("APPROVED", "CHANGES_REQUESTED"):
        raise Refusal(422, "Unprocessable Entity", errors=["Can not dismiss a commented pull request review"])
    review["state"] = "DISMISSED"
    state.note(pull.number, "review_dismissed", by, review_id=review["id"], message=message)
    _fire(state, pull, review, "dismissed", by)
    return review


def _review(pull: Pull, call: Call) -> dict[str, Any]:
    found = next((one for one in pull.reviews if str(one["id"]) == call.arguments["review_id"]), None)
    if found is None:
        raise missing()
    return found


def _is(review: dict[str, Any], login: str) -> bool:
    return (review["user"] or {}).get("login") == login


@answers("GET", f"{REPO}/commits/{{commit_sha}}/pulls", "pull_requests:read contents:read")
def pulls_of_commit(state: State, call: Call) -> Any:
    """The merged one that brought the commit, or the open ones that hold it."""
    sha = state.store.sha(call.arguments["commit_sha"])
    if sha is None:
        raise Refusal(422, f"No commit found for SHA: {call.arguments['commit_sha']}")
    rows = [
        pull
        for pull in state.pulls.values()
        if sha in (pull.head, pull.merge_commit if pull.merged else None)
        or sha in state.store.commits(f"{_start(state, pull)}..{pull.head}")
    ]
    return Page(rows=rows, shape=lambda pull: shapes.pull(state, pull))
