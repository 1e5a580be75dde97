"""Issues, comments (a pull request is an issue, too), labels, and what happened to them."""

from __future__ import annotations

from typing import Any

from tests.github import shapes
from tests.github.replies import REPO, Answer, Call, Page, Refusal, answers, invalid, missing
from tests.github.state import Pull, State

ONE = f"{REPO}/issues/{{issue_number}}"
COMMENT = f"{REPO}/issues/comments/{{comment_id}}"
READ, WRITE = "issues:read pull_requests:read", "issues:write pull_requests:write"
LONGEST = 65_536  # characters of a body


def _subject(state: State, call: Call) -> dict[str, Any] | Pull:
    """The issue or pull request of that number. Raises Refusal 404."""
    text = call.arguments["issue_number"]
    number = int(text) if text.isdigit() else 0
    found = state.issues.get(number) or state.pulls.get(number)
    if found is None:
        raise missing()
    return found


def shape(state: State, one: dict[str, Any] | Pull) -> dict[str, Any]:
    """An issue as GitHub shows it, a pull request as one."""
    if isinstance(one, Pull):
        value = shapes.pull(state, one)
        at = f"{state.api}/issues/{one.number}"
        keys = ("node_id", "number", "html_url", "state", "locked", "title", "user", "body", "labels", "created_at",
                "updated_at", "closed_at", "assignee", "assignees", "milestone", "author_association")  # fmt: skip
        links = {"url": value["url"], "html_url": value["html_url"], "diff_url": value["diff_url"],
                 "patch_url": value["patch_url"], "merged_at": one.merged_at}  # fmt: skip
        about = {key: value[key] for key in keys}
        about |= {"pull_request": links, "closed_by": shapes.nullable_user(state, one.closed_by), "id": value["id"]}
        number = one.number
    else:
        number = one["number"]
        at = f"{state.api}/issues/{number}"
        about = one
    return about | {
        "url": at, "repository_url": state.api, "labels_url": f"{at}/labels{{/name}}", "events_url": f"{at}/events",
        "comments_url": f"{at}/comments", "comments": sum(row["issue_number"] == number for row in state.comments),
    }  # fmt: skip


@answers("GET", f"{REPO}/issues", READ)
def list_issues(state: State, call: Call) -> Any:
    query = call.query
    asked, labels = query.get("state", "open"), {name.lower() for name in query.get("labels", "").split(",") if name}
    rows = [shape(state, one) for one in (*state.issues.values(), *state.pulls.values())]
    rows = [
        row
        for row in rows
        if asked in ("all", row["state"])
        and labels <= {label["name"].lower() for label in row["labels"]}
        and query.get("creator", row["user"]["login"]) == row["user"]["login"]
        and row["updated_at"] >= query.get("since", "")
    ]
    key = {"updated": "updated_at", "comments": "comments"}.get(query.get("sort", ""), "created_at")
    rows.sort(key=lambda row: (row[key], row["number"]), reverse=query.get("direction", "desc") == "desc")
    return Page(rows=rows)


@answers("POST", f"{REPO}/issues", "issues:write")
def create_issue(state: State, call: Call) -> Any:
    number, body, now = next(state.numbers), call.body, state.now()
    _bounded("Issue", body.get("body"))
    names = [one if isinstance(one, str) else one["name"] for one in body.get("labels", ())]
    at = f"{state.api}/issues/{number}"
    state.issues[number] = {
        "id": 200_000 + number, "node_id": f"I_{number}", "number": number, "title": str(body["title"]),
        "body": body.get("body"), "state": "open", "state_reason": None, "user": shapes.user(state, call.login),
        "labels": [shapes.label(state, name) for name in names], "locked": False, "assignee": None, "assignees": [],
        "milestone": None, "created_at": now, "updated_at": now, "closed_at": None, "closed_by": None,
        "author_association": "MEMBER", "html_url": f"{state.url}/{state.repository}/issues/{number}", "url": at,
    }  # fmt: skip
    value = shape(state, state.issues[number])
    state.fire("issues", "opened", {"issue": value}, call.login)
    return Answer(status=201, body=value)


@answers("GET", ONE, READ)
def get_issue(state: State, call: Call) -> Any:
    return shape(state, _subject(state, call))


@answers("PATCH", ONE, WRITE)
def update_issue(state: State, call: Call) -> Any:
    one, body = _subject(state, call), call.body
    _bounded("Issue", body.get("body"))
    if isinstance(one, Pull):
        one.title, one.body, one.updated_at = body.get("title", one.title), body.get("body", one.body), state.now()
        return shape(state, one)
    change_issue(state, one, body, call.login)
    return shape(state, one)


def change_issue(state: State, one: dict[str, Any], body: Any, by: str) -> None:
    one |= {key: body[key] for key in ("title", "body") if key in body}
    one["updated_at"] = state.now()
    if "labels" in body:
        names = [name if isinstance(name, str) else name["name"] for name in body["labels"]]
        one["labels"] = [shapes.label(state, name) for name in names]
    if body.get("state", one["state"]) != one["state"]:
        closed = body["state"] == "closed"
        one |= {"state": body["state"], "closed_at": state.now() if closed else None,
                "closed_by": shapes.user(state, by) if closed else None,
                "state_reason": body.get("state_reason") or ("completed" if closed else "reopened")}  # fmt: skip
        state.note(one["number"], "closed" if closed else "reopened", by, commit_id=None)
        state.fire("issues", "closed" if closed else "reopened", {"issue": shape(state, one)}, by)
    else:
        state.fire("issues", "edited", {"issue": shape(state, one)}, by)


@answers("GET", f"{ONE}/comments", READ)
def list_comments(state: State, call: Call) -> Any:
    one = _subject(state, call)
    number = one.number if isinstance(one, Pull) else one["number"]
    since = call.query.get("since", "")
    rows = [row for row in state.comments if row["issue_number"] == number and row["updated_at"] >= since]
    return Page(rows=rows)


@answers("GET", f"{REPO}/issues/comments", READ)
def all_comments(state: State, call: Call) -> Any:
    key = "updated_at" if call.query.get("sort") == "updated" else "created_at"
    rows = sorted(state.comments, key=lambda row: (row[key], row["id"]), reverse=call.query.get("direction") == "desc")
    return Page(rows=[row for row in rows if row["updated_at"] >= call.query.get("since", "")])


@answers("POST", f"{ONE}/comments", WRITE)
def create_comment(state: State, call: Call) -> Any:
    return Answer(status=201, body=add_comment(state, _subject(state, call), call.login, call.body["body"]))


def add_comment(state: State, one: dict[str, Any] | Pull, login: str, body: str) -> dict[str, Any]:
    if not body.strip():
        raise invalid("IssueComment", "body", "missing_field")
    _bounded("IssueComment", body)
    issue = shape(state, one)
    number, now = next(state.ids), state.now()
    comment = {
        "id": number, "node_id": f"IC_{number}", "url": f"{state.api}/issues/comments/{number}", "body": body,
        "html_url": f"{issue['html_url']}#issuecomment-{number}", "issue_url": issue["url"],
        "user": shapes.user(state, login), "created_at": now, "updated_at": now, "author_association": "MEMBER",
        "issue_number": issue["number"],  # ours, so that a test finds it
    }  # fmt: skip
    state.comments.append(comment)
    state.fire("issue_comment", "created", {"issue": issue, "comment": comment}, login)
    return comment


@answers("GET", COMMENT, READ)
def get_comment(state: State, call: Call) -> Any:
    return _comment(state, call)


@answers("PATCH", COMMENT, WRITE)
def update_comment(state: State, call: Call) -> Any:
    """Whoever may write edits everybody's; others only their own."""
    comment = _comment(state, call)
    _allowed(state, call, comment)
    _bounded("IssueComment", call.body["body"])
    comment |= {"body": call.body["body"], "updated_at": state.now()}
    return comment


@answers("DELETE", COMMENT, WRITE)
def delete_comment(state: State, call: Call) -> Any:
    comment = _comment(state, call)
    _allowed(state, call, comment)
    state.comments.remove(comment)
    return Answer(status=204)


def _comment(state: State, call: Call) -> dict[str, Any]:
    found = next((row for row in state.comments if str(row["id"]) == call.arguments["comment_id"]), None)
    if found is None:
        raise missing()
    return found


def _allowed(state: State, call: Call, comment: dict[str, Any]) -> None:
    own = (comment["user"] or {}).get("login") == call.login
    if call.token.of_person and not own and state.accounts[call.login].role not in ("write", "admin"):
        raise Refusal(403, "Must have admin rights to Repository.")


def _bounded(resource: str, body: Any) -> None:
    if isinstance(body, str) and len(body) > LONGEST:
        raise Refusal(422, "Validation Failed", errors=[{
            "resource": resource, "code": "custom", "field": "body",
            "message": f"body is too long (maximum is {LONGEST} characters)"}])  # fmt: skip


@answers("GET", f"{ONE}/labels", READ)
def issue_labels(state: State, call: Call) -> Any:
    return Page(rows=shape(state, _subject(state, call))["labels"])


@answers("POST", f"{ONE}/labels", WRITE)
def add_labels(state: State, call: Call) -> Any:
    return _relabel(state, call, [row["name"] for row in shape(state, _subject(state, call))["labels"]])


@answers("PUT", f"{ONE}/labels", WRITE)
def set_labels(state: State, call: Call) -> Any:
    return _relabel(state, call, [])


@answers("DELETE", f"{ONE}/labels/{{name}}", WRITE)
def remove_label(state: State, call: Call) -> Any:
    one = _subject(state, call)
    rows = shape(state, one)["labels"]
    kept = [row for row in rows if row["name"].lower() != call.arguments["name"].lower()]
    if len(kept) == len(rows):
        raise Refusal(404, "Label does not exist")
    _keep(state, one, [row["name"] for row in kept])
    return kept


def _relabel(state: State, call: Call, names: list[str]) -> Any:
    one, wanted = _subject(state, call), call.body.get("labels", ())
    names += [name if isinstance(name, str) else name["name"] for name in wanted]
    _keep(state, one, list(dict.fromkeys(names)))
    return shape(state, one)["labels"]


def _keep(state: State, one: dict[str, Any] | Pull, names: list[str]) -> None:
    if isinstance(one, Pull):
        one.labels = names
    else:
        one["labels"] = [shapes.label(state, name) for name in names]


@answers("GET", f"{REPO}/labels", READ)
def labels(state: State, call: Call) -> Any:
    return Page(rows=list(state.labels.values()))


@answers("GET", f"{REPO}/labels/{{name}}", READ)
def get_label(state: State, call: Call) -> Any:
    if call.arguments["name"].lower() not in state.labels:
        raise missing()
    return shapes.label(state, call.arguments["name"])


@answers("POST", f"{REPO}/labels", WRITE)
def create_label(state: State, call: Call) -> Any:
    if call.body["name"].lower() in state.labels:
        raise invalid("Label", "name", "already_exists")
    more = {key: call.body[key] for key in ("color", "description") if key in call.body}
    return Answer(status=201, body=shapes.label(state, call.body["name"]) | more)


@answers("GET", f"{ONE}/events", READ)
def issue_events(state: State, call: Call) -> Any:
    one = _subject(state, call)
    kinds = ("reviewed",)  # those are in the timeline only
    return Page(rows=[row for row in _happened(state, one) if row["event"] not in kinds])


@answers("GET", f"{ONE}/timeline", READ)
def timeline(state: State, call: Call) -> Any:
    return Page(rows=_happened(state, _subject(state, call)))


def _happened(state: State, one: dict[str, Any] | Pull) -> list[dict[str, Any]]:
    number = one.number if isinstance(one, Pull) else one["number"]
    found = []
    for row in state.timeline:
        if row["number"] == number:
            more = {key: value for key, value in row.items() if key not in ("number", "actor")}
            url = f"{state.api}/issues/events/{row['id']}"
            none = dict.fromkeys(("commit_id", "commit_url", "performed_via_github_app"))
            actor = shapes.user(state, row["actor"])
            found.append({"node_id": f"E_{row['id']}", "url": url, **none, "actor": actor, **more})
    return found
