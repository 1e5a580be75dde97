"""What the stand-in of GitLab answers: the paths, the parameters and the fields of the REST API, version 4."""

from __future__ import annotations

from typing import Any

from tests.forges.stand_in import Answer, Call, Refusal, routes_of
from tests.gitlab.stand_in import GitLab, MergeRequest, paged

API = "/api/v4"
PROJECT = f"{API}/projects/{{id}}"
ONE = f"{PROJECT}/merge_requests/{{iid}}"
PAGES = "page per_page"
answers = routes_of(GitLab.ROUTES)


def missing(what: str) -> Refusal:
    return Refusal(404, {"message": f"404 {what} Not Found"})


def project_of(forge: GitLab, call: Call) -> int:
    name = call.arguments["id"]
    known = {"1": 1, "acme/models": 1} | {str(number): number for number in forge.forks}
    if name not in known:
        raise missing("Project")
    return known[name]


def wanted(forge: GitLab, call: Call) -> MergeRequest:
    number = call.arguments["iid"]
    if project_of(forge, call) != 1 or not number.isdigit() or int(number) not in forge.merge_requests:
        raise Refusal(404, {"message": "404 Not found"})
    return forge.merge_requests[int(number)]


@answers("GET", f"{API}/user")
def me(forge: GitLab, call: Call) -> Any:
    return {**forge.user(call.account), "bot": call.account.bot, "email": "x@example.com"}


@answers("GET", f"{API}/users/{{uid}}")
def user(forge: GitLab, call: Call) -> Any:
    for account in forge.accounts.values():
        if str(account.id) == call.arguments["uid"]:
            return {**forge.user(account), "bot": account.bot}
    raise missing("User")


@answers("GET", PROJECT)
def project(forge: GitLab, call: Call) -> Any:
    return forge.project(project_of(forge, call))


@answers("GET", f"{PROJECT}/repository/branches/{{branch}}")
def branch(forge: GitLab, call: Call) -> Any:
    found = forge.known.get(f"refs/heads/{call.arguments['branch']}")
    if found is None:
        raise missing("Branch")
    name = call.arguments["branch"]
    return {"name": name, "merged": False, "protected": name in forge.protected, "commit": {"id": found}}


@answers("DELETE", f"{PROJECT}/repository/branches/{{branch}}", level=30)
def delete_branch(forge: GitLab, call: Call) -> Any:
    name = call.arguments["branch"]
    if f"refs/heads/{name}" not in forge.known:
        raise missing("Branch")
    if name in forge.protected:
        raise Refusal(403, {"message": "Protected branch can't be removed"})
    forge.move(f"refs/heads/{name}", None, call.account)
    return Answer(status=204)


LISTED = f"{PAGES} state source_branch target_branch order_by sort scope"


@answers("GET", f"{PROJECT}/merge_requests", query=LISTED)
def merge_requests(forge: GitLab, call: Call) -> Any:
    state = call.query.get("state", "all")
    rows = [
        one
        for one in forge.merge_requests.values()
        if state in ("all", one.state)
        and call.query.get("source_branch", one.branch) == one.branch
        and call.query.get("target_branch", one.base) == one.base
    ]
    rows.sort(key=lambda one: one.iid, reverse=call.query.get("sort", "desc") == "desc")
    return paged(forge, call, [forge.shape(one) for one in rows])


OPENED = "source_branch! target_branch! title! description remove_source_branch squash labels target_project_id"


@answers("POST", f"{PROJECT}/merge_requests", fields=OPENED, level=30)
def open_one(forge: GitLab, call: Call) -> Any:
    body = call.body
    if call.body.get("target_project_id", 1) != 1:
        raise missing("Project")
    made = forge.opened(
        call.account, body["source_branch"], body["target_branch"], body["title"], body.get("description") or ""
    )
    return forge.shape(made)


@answers(
    "GET", ONE, query="with_merge_status_recheck include_diverged_commits_count include_rebase_in_progress render_html"
)
def one(forge: GitLab, call: Call) -> Any:
    return forge.shape(wanted(forge, call))


@answers("PUT", ONE, fields="title description state_event target_branch labels squash", level=30)
def change_one(forge: GitLab, call: Call) -> Any:
    found = wanted(forge, call)
    found.title = call.body.get("title", found.title)
    found.description = call.body.get("description", found.description)
    event = call.body.get("state_event")
    if event == "close" and found.state == "opened":
        found.state, found.closed_by = "closed", call.account
    elif event == "reopen" and found.state == "closed":
        found.state, found.closed_by = "opened", None
    return forge.shape(found)


MERGING = "sha merge_commit_message squash_commit_message squash should_remove_source_branch auto_merge"


@answers("PUT", f"{ONE}/merge", fields=MERGING, level=30)
def merge(forge: GitLab, call: Call) -> Any:
    found = wanted(forge, call)
    if "sha" in call.body and call.body["sha"] != found.sha and found.state == "opened":
        raise Refusal(409, {"message": f"SHA does not match HEAD of source branch: {found.sha}"})
    forge.merged(found, call.account, call.body.get("merge_commit_message", ""))
    return forge.shape(found)


def approvals_shape(forge: GitLab, found: MergeRequest) -> dict[str, Any]:
    given = [
        {"user": forge.user(forge.accounts[name]), **({"approved_at": at} if forge.tells_times else {})}
        for name, at in found.approvals.items()
    ]
    return {"user_has_approved": False, "user_can_approve": True, "approved": bool(given), "approved_by": given}


@answers("GET", f"{ONE}/approvals")
def approvals(forge: GitLab, call: Call) -> Any:
    return approvals_shape(forge, wanted(forge, call))


@answers("POST", f"{ONE}/approve", fields="sha approval_password", level=30)
def approve(forge: GitLab, call: Call) -> Any:
    found = wanted(forge, call)
    if call.body.get("sha", found.sha) != found.sha:
        raise Refusal(409, {"message": f"SHA does not match HEAD of source branch: {found.sha}"})
    forge.approved(found, call.account)
    return approvals_shape(forge, found)


@answers("GET", f"{ONE}/reviewers", query=PAGES)
def reviewers(forge: GitLab, call: Call) -> Any:
    found = wanted(forge, call)
    rows = [
        {"user": forge.user(forge.accounts[name]), "state": state, "created_at": found.created}
        for name, state in found.reviewers.items()
    ]
    return paged(forge, call, rows)


@answers("GET", f"{ONE}/versions", query=PAGES)
def versions(forge: GitLab, call: Call) -> Any:
    found = wanted(forge, call)
    rows = [
        {"id": number, "head_commit_sha": sha, "base_commit_sha": sha, "start_commit_sha": sha, "created_at": at,
         "merge_request_id": 5000 + found.iid, "state": "collected", "real_size": "1", "patch_id_sha": None}
        for number, sha, at in reversed(found.shown)
    ]  # fmt: skip
    return paged(forge, call, rows)


def notes_of(forge: GitLab, call: Call, kind: str) -> Any:
    iid = int(call.arguments["iid"])
    rows = [note for note in forge.notes if (note["noteable_iid"], note["noteable_type"]) == (iid, kind)]
    only = call.query.get("activity_filter", "all_notes")
    rows = [note for note in rows if only == "all_notes" or note["system"] == (only == "only_activity")]
    rows = rows if call.query.get("sort", "desc") == "asc" else rows[::-1]
    return paged(forge, call, [forge.note(note) for note in rows])


def note_of(forge: GitLab, call: Call) -> dict[str, Any]:
    found = next((note for note in forge.notes if str(note["id"]) == call.arguments["note"]), None)
    if found is None:
        raise missing("Note")
    if found["author"] is not call.account:
        raise Refusal(403, {"message": "403 Forbidden"})
    return found


for _path, _kind in ((ONE, "MergeRequest"), (f"{PROJECT}/issues/{{iid}}", "Issue")):

    @answers("GET", f"{_path}/notes", query=f"{PAGES} sort order_by activity_filter")
    def notes(forge: GitLab, call: Call, kind: str = _kind) -> Any:
        return notes_of(forge, call, kind)

    @answers("POST", f"{_path}/notes", fields="body! internal", level=20)
    def add_note(forge: GitLab, call: Call, kind: str = _kind) -> Any:
        if not call.body["body"] or len(call.body["body"]) > 1_000_000:
            raise Refusal(400, {"message": {"note": ["can't be blank"]}})
        return forge.note(forge.say(int(call.arguments["iid"]), call.account, call.body["body"], kind=kind))

    @answers("PUT", f"{_path}/notes/{{note}}", fields="body!", level=20)
    def change_note(forge: GitLab, call: Call) -> Any:
        found = note_of(forge, call)
        found.update(body=call.body["body"], updated_at=forge.now())
        return forge.note(found)

    @answers("DELETE", f"{_path}/notes/{{note}}", level=20)
    def delete_note(forge: GitLab, call: Call) -> Any:
        forge.notes.remove(note_of(forge, call))
        return Answer(status=204)


@answers("GET", f"{PROJECT}/members/all/{{uid}}")
def member(forge: GitLab, call: Call) -> Any:
    for account in forge.accounts.values():
        if str(account.id) == call.arguments["uid"] and account.level:
            return {**forge.user(account), "access_level": account.level, "membership_state": "active"}
    raise Refusal(404, {"message": "404 Not found"})


@answers("GET", f"{API}/groups/{{group}}/members", query=PAGES)
def members(forge: GitLab, call: Call) -> Any:
    if call.arguments["group"] not in forge.groups:
        raise missing("Group")
    names = forge.groups[call.arguments["group"]]
    return paged(forge, call, [{**forge.user(forge.accounts[name]), "access_level": 30} for name in names])


@answers("GET", f"{PROJECT}/events", query=f"{PAGES} action sort before after target_type")
def events(forge: GitLab, call: Call) -> Any:
    if project_of(forge, call) != 1:
        raise missing("Project")
    return paged(forge, call, forge.pushes[::-1] if call.query.get("sort", "desc") == "desc" else forge.pushes)


SAID = "state! name context description target_url ref pipeline_id coverage"


@answers("POST", f"{PROJECT}/statuses/{{sha}}", fields=SAID, level=30)
def say_status(forge: GitLab, call: Call) -> Any:
    sha, body = call.arguments["sha"], call.body
    if forge.store.kind(sha) != "commit":
        raise missing("Commit")
    if body["state"] not in ("pending", "running", "success", "failed", "canceled", "skipped"):
        raise Refusal(400, {"error": "state does not have a valid value"})
    if len(body.get("description") or "") > 255:
        raise Refusal(400, {"message": {"description": ["is too long (maximum is 255 characters)"]}})
    name = body.get("name") or body.get("context") or "default"
    running = ("pending", "running")
    known = [one for one in forge.statuses if (one["sha"], one["name"]) == (sha, name) and one["status"] in running]
    if known and known[-1]["status"] == body["state"]:
        words = f"Cannot transition status via :enqueue from :{body['state']} (Reason(s): Status cannot transition)"
        raise Refusal(400, {"message": words})
    status = (
        known[-1] if known else {"id": next(forge.ids), "sha": sha, "name": name, "author": forge.user(call.account)}
    )
    status |= {"status": body["state"], "description": body.get("description"), "target_url": body.get("target_url")}
    if not known:
        forge.statuses.append(status)
    return status


@answers("GET", f"{PROJECT}/repository/commits/{{sha}}/statuses", query=f"{PAGES} name ref all")
def statuses(forge: GitLab, call: Call) -> Any:
    found = [one for one in forge.statuses if one["sha"] == call.arguments["sha"]]
    found = [one for one in found if call.query.get("name", one["name"]) == one["name"]]
    return paged(forge, call, list({one["name"]: one for one in found}.values()))  # the latest of each name


def issue_shape(forge: GitLab, one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "author": forge.user(one["author"]), "web_url": f"{forge.url}/acme/models/-/issues/{one['iid']}"}


@answers("GET", f"{PROJECT}/issues", query=f"{PAGES} state author_id scope labels search")
def issues(forge: GitLab, call: Call) -> Any:
    rows = [
        one
        for one in forge.issues
        if call.query.get("state", one["state"]) in (one["state"], "all")
        and call.query.get("author_id", str(one["author"].id)) == str(one["author"].id)
    ]
    return paged(forge, call, [issue_shape(forge, one) for one in rows[::-1]])


@answers("POST", f"{PROJECT}/issues", fields="title! description labels", level=20)
def open_issue(forge: GitLab, call: Call) -> Any:
    labels = [label for label in call.body.get("labels", "").split(",") if label]
    number = len(forge.issues) + 1
    one = {"id": next(forge.ids), "iid": number, "project_id": 1, "state": "opened", "author": call.account,
           "title": call.body["title"], "description": call.body.get("description"), "labels": labels}  # fmt: skip
    forge.issues.append(one)
    return issue_shape(forge, one)


@answers("PUT", f"{PROJECT}/issues/{{iid}}", fields="title description labels state_event", level=20)
def change_issue(forge: GitLab, call: Call) -> Any:
    one = next(one for one in forge.issues if str(one["iid"]) == call.arguments["iid"])
    one |= {name: text for name, text in call.body.items() if name != "state_event"}
    one["state"] = "closed" if call.body.get("state_event") == "close" else one["state"]
    return issue_shape(forge, one)


def deployment_shape(forge: GitLab, one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "user": forge.user(one["user"])}


@answers("GET", f"{PROJECT}/deployments", query=f"{PAGES} environment order_by sort status")
def deployments(forge: GitLab, call: Call) -> Any:
    name = call.query.get("environment")
    rows = [one for one in forge.deployments if name in (None, one["environment"]["name"])]
    rows = rows[::-1] if call.query.get("sort", "asc") == "desc" else rows
    return paged(forge, call, [deployment_shape(forge, one) for one in rows])


@answers("POST", f"{PROJECT}/deployments", fields="environment! sha! ref! tag! status!", level=30)
def deploy(forge: GitLab, call: Call) -> Any:
    body = call.body
    if forge.store.kind(body["sha"]) != "commit":
        raise Refusal(400, {"message": {"sha": ["is invalid"]}})
    if body["status"] not in ("created", "running", "success", "failed", "canceled"):
        raise Refusal(400, {"error": "status does not have a valid value"})
    found = next((one for one in forge.environments if one["name"] == body["environment"]), None)
    if found is None:
        found = {"id": next(forge.ids), "name": body["environment"], "external_url": None, "state": "available"}
        forge.environments.append(found)
    one = {"id": next(forge.ids), "iid": len(forge.deployments) + 1, "sha": body["sha"], "ref": body["ref"],
           "status": body["status"], "environment": found, "user": call.account, "created_at": forge.now()}  # fmt: skip
    forge.deployments.append(one)
    return deployment_shape(forge, one)


@answers("GET", f"{PROJECT}/environments", query=f"{PAGES} name search states")
def environments(forge: GitLab, call: Call) -> Any:
    return paged(forge, call, [one for one in forge.environments if call.query.get("name", one["name"]) == one["name"]])


@answers("PUT", f"{PROJECT}/environments/{{eid}}", fields="external_url tier", level=30)
def change_environment(forge: GitLab, call: Call) -> Any:
    one = next(one for one in forge.environments if str(one["id"]) == call.arguments["eid"])
    one |= call.body
    return one


@answers("POST", f"{PROJECT}/pipeline", fields="ref! variables inputs", level=30)
def start(forge: GitLab, call: Call) -> Any:
    sha = forge.known.get(f"refs/heads/{call.body['ref']}")
    if sha is None:
        raise Refusal(400, {"message": {"base": ["Reference not found"]}})
    made = {"id": next(forge.ids), "ref": call.body["ref"], "sha": sha, "source": "api", "status": "created",
            "variables": call.body.get("variables", []), "web_url": f"{forge.url}/p/9"}  # fmt: skip
    forge.pipelines[made["id"]] = made
    return made


@answers("GET", f"{PROJECT}/pipelines/{{pid}}")
def pipeline(forge: GitLab, call: Call) -> Any:
    number = call.arguments["pid"]
    if not number.isdigit() or int(number) not in forge.pipelines:
        raise Refusal(404, {"message": "404 Not found"})
    return forge.pipelines[int(number)]


@answers("GET", f"{PROJECT}/repository/commits/{{sha}}", query="stats")
def commit(forge: GitLab, call: Call) -> Any:
    found = forge.store.commit(call.arguments["sha"]) if forge.store.kind(call.arguments["sha"]) == "commit" else None
    if found is None:
        raise missing("Commit")
    return {"id": found.sha, "parent_ids": list(found.parents), "message": found.message, "title": found.message[:72]}


@answers("GET", f"{PROJECT}/releases/{{tag}}")
def release(forge: GitLab, call: Call) -> Any:
    if call.arguments["tag"] not in forge.releases:
        raise missing("Release")
    return forge.releases[call.arguments["tag"]]


@answers("POST", f"{PROJECT}/releases", fields="tag_name! name description ref", level=30)
def make_release(forge: GitLab, call: Call) -> Any:
    forge.releases[call.body["tag_name"]] = dict(call.body)
    return forge.releases[call.body["tag_name"]]


@answers("PUT", f"{PROJECT}/releases/{{tag}}", fields="name description", level=30)
def change_release(forge: GitLab, call: Call) -> Any:
    forge.releases[call.arguments["tag"]] |= call.body
    return forge.releases[call.arguments["tag"]]
