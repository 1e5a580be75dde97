"""What the stand-in of Azure DevOps answers: the paths, the parameters and the fields of the REST API, version 7.1.

`AREAS` is how Microsoft's own client finds a path: by the id that each has in every Azure DevOps.
"""

from __future__ import annotations

from typing import Any

from tests.azure_devops.stand_in import AzureDevOps, PullRequest, listed, skipped
from tests.forges.stand_in import NO_COMMIT, Answer, Call, Refusal, routes_of

ACME = "/acme"
PROJECT = f"{ACME}/{{project}}/_apis"
REPO = f"{PROJECT}/git/[Rr]epositories/{{repo}}"
ONE = f"{REPO}/pull[Rr]equests/{{number}}"
answers = routes_of(AzureDevOps.ROUTES)
_GIT = "{project}/_apis/git/repositories/{repositoryId}"
AREAS = {
    "e81700f7-3be2-46de-8624-2eb35882fcaa": ("ResourceAreas", "_apis/ResourceAreas/{areaId}"),
    "225f7195-f9c7-4d14-ab28-a83f7ff77e1f": ("repositories", _GIT),
    "2d874a60-a811-4f62-9c9f-963a6ea0a55b": ("refs", f"{_GIT}/refs"),
    "9946fd70-0d40-406e-b686-b4744cbbcc37": ("pullRequests", f"{_GIT}/pullRequests/{{pullRequestId}}"),
    "d43911ee-6958-46b0-a42b-8445b8a0d004": ("iterations", f"{_GIT}/pullRequests/{{pullRequestId}}/iterations"),
    "4b6702c7-aa35-4b89-9c96-b9abf6d3e540": (
        "reviewers", f"{_GIT}/pullRequests/{{pullRequestId}}/reviewers/{{reviewerId}}",
    ),
    "ab6e2e5d-a0b7-4153-b64a-a4efe0d49449": ("threads", f"{_GIT}/pullRequests/{{pullRequestId}}/threads/{{threadId}}"),
    "965a3ec7-5ed8-455a-bdcb-835a5ea7fe7b": (
        "comments", f"{_GIT}/pullRequests/{{pullRequestId}}/threads/{{threadId}}/comments/{{commentId}}",
    ),
    "ea98d07b-3c87-4971-8ede-a613694ffb55": ("pushes", f"{_GIT}/pushes"),
    "428dd4fb-fda5-4722-af02-9313b80305da": ("statuses", f"{_GIT}/commits/{{commitId}}/statuses"),
}  # fmt: skip


@answers("OPTIONS", f"{ACME}/_apis")
def locations(forge: AzureDevOps, call: Call) -> Any:
    rows = [
        {"id": number, "area": "git", "resourceName": name, "routeTemplate": template, "resourceVersion": 2,
         "minVersion": "1.0", "maxVersion": "7.1", "releasedVersion": "7.0"}
        for number, (name, template) in AREAS.items()
    ]  # fmt: skip
    return listed(rows)


@answers("GET", f"{ACME}/_apis/ResourceAreas")
def areas(forge: AzureDevOps, call: Call) -> Any:
    return listed([])  # as a Server answers: everything is at the one address


@answers("GET", f"{ACME}/_apis/connectionData")
def connection(forge: AzureDevOps, call: Call) -> Any:
    return {"authenticatedUser": {"id": call.account.id, "providerDisplayName": call.account.name}}


def repository_of(forge: AzureDevOps, call: Call) -> str:
    repo = call.arguments["repo"]
    known = {"models": forge.repository()["id"], forge.repository()["id"]: forge.repository()["id"]}
    known |= {number: number for number in forge.forks}
    if call.arguments["project"] not in ("Models", forge.repository()["project"]["id"]) or repo not in known:
        raise forge.refuse(404, f"TF401019: The Git repository with name or identifier {repo} does not exist or you do "
                           "not have permissions for the operation you are attempting.",
                           "GitRepositoryNotFoundException")  # fmt: skip
    return str(known[repo])


def wanted(forge: AzureDevOps, call: Call) -> PullRequest:
    repository_of(forge, call)
    number = call.arguments["number"]
    if not number.isdigit() or int(number) not in forge.pulls:
        raise forge.refuse(404, f"TF401180: The requested pull request was not found: {number}",
                           "GitPullRequestNotFoundException")  # fmt: skip
    return forge.pulls[int(number)]


@answers("GET", REPO)
def repository(forge: AzureDevOps, call: Call) -> Any:
    return forge.repository(repository_of(forge, call))


@answers("GET", f"{REPO}/refs", query="filter $top continuationToken includeStatuses")
def refs(forge: AzureDevOps, call: Call) -> Any:
    start = f"refs/{call.query.get('filter', '')}"
    rows = [{"name": ref, "objectId": sha} for ref, sha in sorted(forge.known.items()) if ref.startswith(start)]
    return listed(rows)


@answers("POST", f"{REPO}/refs", level=30)
def update_refs(forge: AzureDevOps, call: Call) -> Any:
    rows = []
    for update in call.body:  # type: ignore[union-attr]
        assert set(update) == {"name", "oldObjectId", "newObjectId"}, update  # type: ignore[arg-type]
        name = str(update["name"])  # type: ignore[index]
        good = forge.known.get(name, NO_COMMIT) == update["oldObjectId"]  # type: ignore[index]
        good = good and name.removeprefix("refs/heads/") not in forge.protected
        if good:
            new = update["newObjectId"]  # type: ignore[index]
            forge.move(name, None if new == NO_COMMIT else new, call.account)
        rows.append({"name": name, "success": good, "updateStatus": "succeeded" if good else "staleOldObjectId"})
    return Answer(body=listed(rows))


FOUND = "status sourceRefName targetRefName repositoryId sourceRepositoryId creatorId reviewerId includeLinks"
SEARCHED = " ".join(f"searchCriteria.{name}" for name in FOUND.split())


@answers("GET", f"{REPO}/pull[Rr]equests", query=f"{SEARCHED} $top $skip maxCommentLength")
def pull_requests(forge: AzureDevOps, call: Call) -> Any:
    repository_of(forge, call)
    ask = {name.removeprefix("searchCriteria."): text for name, text in call.query.items()}
    rows = [
        one
        for one in forge.pulls.values()
        if ask.get("status", "active") in ("all", one.status)
        and ask.get("sourceRefName", f"refs/heads/{one.branch}") == f"refs/heads/{one.branch}"
        and ask.get("targetRefName", f"refs/heads/{one.base}") == f"refs/heads/{one.base}"
    ]
    return skipped(call, [forge.shape(one, full=False) for one in rows[::-1]])


OPENED = "sourceRefName! targetRefName! title! description isDraft reviewers workItemRefs labels forkSource"


@answers("POST", f"{REPO}/pull[Rr]equests", fields=OPENED, query="supportsIterations", level=30)
def open_one(forge: AzureDevOps, call: Call) -> Any:
    source, target = call.body["sourceRefName"], call.body["targetRefName"]
    if not source.startswith("refs/heads/") or not target.startswith("refs/heads/"):
        raise forge.refuse(400, "A source and a target reference must be specified by their full names")
    names = source.removeprefix("refs/heads/"), target.removeprefix("refs/heads/")
    made = forge.opened(call.account, *names, call.body["title"], call.body.get("description") or "")
    return forge.shape(made)


@answers("GET", ONE, query="maxCommentLength $skip $top includeCommits includeWorkItemRefs")
def one(forge: AzureDevOps, call: Call) -> Any:
    return forge.shape(wanted(forge, call))


CHANGED = (
    "status title description targetRefName completionOptions mergeOptions autoCompleteSetBy lastMergeSourceCommit"
)


@answers("PATCH", ONE, fields=CHANGED, level=30)
def change_one(forge: AzureDevOps, call: Call) -> Any:
    found, body = wanted(forge, call), call.body
    if found.status != "active":
        raise forge.refuse(409, "TF401181: The pull request cannot be edited due to its state.",
                           "GitPullRequestNotEditableException")  # fmt: skip
    if len(body.get("title", "")) > 400 or len(body.get("description", "")) > 4000:
        raise forge.refuse(400, "The title or description of the pull request is too long.")
    found.title, found.description = body.get("title", found.title), body.get("description", found.description)
    if body.get("status") == "abandoned":
        found.status, found.closed_by = "abandoned", call.account
    elif body.get("status") == "completed":
        seen = body.get("lastMergeSourceCommit", {}).get("commitId", "")
        if not seen:
            raise forge.refuse(400, "Invalid argument value. Parameter name: LastMergeSourceCommit")
        if seen.strip("0") and seen != found.sha:  # zeros are taken for no commit at all
            raise forge.refuse(409, "TF401192: The source branch has been modified since the last merge attempt.",
                               "GitPullRequestStaleException")  # fmt: skip
        options = body.get("completionOptions", {})
        known = {"mergeStrategy", "mergeCommitMessage", "deleteSourceBranch", "transitionWorkItems", "bypassPolicy",
                 "bypassReason", "squashMerge", "triggeredByAutoComplete", "autoCompleteIgnoreConfigIds"}  # fmt: skip
        assert set(options) <= known, options
        forge.merged(
            found, call.account, options.get("mergeStrategy", "noFastForward"), options.get("mergeCommitMessage", "")
        )
    return forge.shape(found)


@answers("GET", f"{ONE}/iterations", query="includeCommits")
def iterations(forge: AzureDevOps, call: Call) -> Any:
    found = wanted(forge, call)
    rows = [
        {"id": number, "createdDate": at, "updatedDate": at, "sourceRefCommit": {"commitId": sha}, "reason": "push",
         "targetRefCommit": {"commitId": sha}, "author": forge.user(found.author), "hasMoreCommits": False}
        for number, (sha, at) in enumerate(found.iterations, start=1)
    ]  # fmt: skip
    return listed(rows)


@answers("GET", f"{ONE}/reviewers")
def reviewers(forge: AzureDevOps, call: Call) -> Any:
    return listed(forge.reviewers(wanted(forge, call)))


@answers("PUT", f"{ONE}/reviewers/{{reviewer}}", fields="vote! id isReapprove isFlagged hasDeclined isRequired")
def vote(forge: AzureDevOps, call: Call) -> Any:
    found = wanted(forge, call)
    if call.arguments["reviewer"] != call.account.id:
        raise forge.refuse(403, "TF401186: You cannot record a vote for someone else.")
    forge.voted(found, call.account, call.body["vote"])
    return {**forge.user(call.account), "vote": call.body["vote"]}


@answers("GET", f"{ONE}/threads", query="$iteration $baseIteration")
def threads(forge: AzureDevOps, call: Call) -> Any:
    return listed(wanted(forge, call).threads)


@answers("POST", f"{ONE}/threads", fields="comments! status properties threadContext pullRequestThreadContext")
def add_thread(forge: AzureDevOps, call: Call) -> Any:
    found, first = wanted(forge, call), call.body["comments"][0]
    if set(first) - {"parentCommentId", "content", "commentType"} or not first.get("content"):
        raise forge.defect(f"no such comment: {first}")
    if len(first["content"]) > 150_000:
        raise forge.refuse(400, "The comment is too long")
    kinds = {"1": "text", "text": "text", "system": "text"}  # nobody speaks as the system
    properties = {name: value["$value"] for name, value in (call.body.get("properties") or {}).items()}
    kind = kinds[str(first.get("commentType", "text"))]
    made = forge.say(
        found, forge.user(call.account), first["content"], kind=kind, properties=properties,
        status=str(call.body.get("status", "active")),
    )  # fmt: skip
    return Answer(body=made)


def comment_of(forge: AzureDevOps, call: Call) -> dict[str, Any]:
    thread = next((one for one in wanted(forge, call).threads if str(one["id"]) == call.arguments["thread"]), None)
    if thread is None:
        raise forge.refuse(404, "TF401195: The thread was not found")
    comment: dict[str, Any] = thread["comments"][0]
    if comment["author"]["id"] != call.account.id:
        raise forge.refuse(403, "TF401196: You may change your own comments alone")
    return comment


@answers("PATCH", f"{ONE}/threads/{{thread}}/comments/1", fields="content! commentType")
def change_comment(forge: AzureDevOps, call: Call) -> Any:
    comment = comment_of(forge, call)
    comment["content"] = call.body["content"]
    return comment


@answers("DELETE", f"{ONE}/threads/{{thread}}/comments/1")
def delete_comment(forge: AzureDevOps, call: Call) -> Any:
    comment_of(forge, call).update(isDeleted=True, content=None)
    return Answer(status=200)


PUSHED = "refName includeRefUpdates fromDate toDate pusherId includeLinks"


@answers("GET", f"{REPO}/pushes", query=" ".join(f"searchCriteria.{name}" for name in PUSHED.split()) + " $top $skip")
def pushes(forge: AzureDevOps, call: Call) -> Any:
    if repository_of(forge, call) in forge.forks:
        raise forge.refuse(404, "TF401019: The Git repository does not exist or you do not have permissions")
    name = call.query.get("searchCriteria.refName")
    rows = [one for one in forge.pushes[::-1] if name in (None, one["refUpdates"][0]["name"])]
    told = call.query.get("searchCriteria.includeRefUpdates", "").lower() == "true"
    return skipped(call, rows if told else [{**one, "refUpdates": []} for one in rows])


@answers("POST", f"{REPO}/commits/{{sha}}/statuses", fields="state! description targetUrl context!", level=30)
def say_status(forge: AzureDevOps, call: Call) -> Any:
    if forge.store.kind(call.arguments["sha"]) != "commit":
        raise forge.refuse(404, "TF401175: The version descriptor could not be resolved")
    if call.body["state"] not in ("notSet", "pending", "succeeded", "failed", "error", "notApplicable"):
        raise forge.refuse(400, "no such state")
    status = {"id": next(forge.ids), "sha": call.arguments["sha"], **call.body, "createdBy": forge.user(call.account)}
    forge.statuses.append(status)
    return status


@answers("GET", f"{REPO}/commits/{{sha}}", query="changeCount")
def commit(forge: AzureDevOps, call: Call) -> Any:
    found = forge.store.commit(call.arguments["sha"]) if forge.store.kind(call.arguments["sha"]) == "commit" else None
    if found is None:
        raise forge.refuse(404, "TF401175: The version descriptor could not be resolved")
    return {"commitId": found.sha, "treeId": found.tree, "parents": list(found.parents), "comment": found.message}


@answers("GET", f"{REPO}/commits/{{sha}}/statuses", query="$top $skip latestOnly top skip")
def statuses(forge: AzureDevOps, call: Call) -> Any:
    return listed([one for one in forge.statuses if one["sha"] == call.arguments["sha"]])


@answers("GET", f"{ACME}/_apis/projects/{{project}}/teams/{{team}}/members", query="$top $skip")
def members(forge: AzureDevOps, call: Call) -> Any:
    name = f"{call.arguments['project']}/{call.arguments['team']}"
    if name not in forge.teams:
        raise forge.refuse(404, f"The team with id '{name}' does not exist.")
    group = {"identity": {"id": "g", "uniqueName": "vstfs:///g", "isContainer": True}}
    return skipped(call, [*({"identity": forge.user(one)} for one in forge.teams[name]), group])


@answers("GET", f"{PROJECT}/wit/workitemtypes")
def item_types(forge: AzureDevOps, call: Call) -> Any:
    return listed([{"name": name} for name in forge.item_types])


@answers("GET", f"{PROJECT}/wit/workitemtypes/{{type}}/states")
def item_states(forge: AzureDevOps, call: Call) -> Any:
    pairs = (("To Do", "Proposed"), ("Doing", "InProgress"), ("Done", "Completed"))
    return listed([{"name": name, "category": category} for name, category in pairs])


@answers("POST", f"{PROJECT}/wit/wiql", fields="query!", query="$top")
def wiql(forge: AzureDevOps, call: Call) -> Any:
    """The one question that is asked here: by tag, but for what is done."""
    tag = call.body["query"].split("CONTAINS '")[1].split("'")[0]
    rows = [{"id": number} for number, item in forge.items.items()
            if tag in item["fields"].get("System.Tags", "") and item["fields"]["System.State"] != "Done"]  # fmt: skip
    return Answer(body={"queryType": "flat", "workItems": rows})


def patched(forge: AzureDevOps, fields: dict[str, Any], call: Call) -> None:
    for change in call.body:
        assert set(change) == {"op", "path", "value"}, change  # type: ignore[arg-type]
        fields[change["path"].removeprefix("/fields/")] = change["value"]  # type: ignore[attr-defined,index]


@answers("POST", f"{PROJECT}/wit/workitems/\\${{type}}", level=30)
def make_item(forge: AzureDevOps, call: Call) -> Any:
    if call.arguments["type"] not in forge.item_types:
        raise forge.refuse(404, "VS402323: Work item type does not exist")
    number = next(forge.ids)
    fields: dict[str, Any] = {"System.State": "To Do", "System.CreatedBy": forge.user(call.account)}
    patched(forge, fields, call)
    forge.items[number] = {"id": number, "rev": 1, "fields": fields}
    return Answer(body=forge.items[number])


def item_of(forge: AzureDevOps, call: Call) -> dict[str, Any]:
    number = call.arguments["item"]
    if not number.isdigit() or int(number) not in forge.items:
        raise forge.refuse(404, "TF401232: Work item does not exist, or you do not have permissions to read it.")
    return forge.items[int(number)]


@answers("GET", f"{PROJECT}/wit/workitems/{{item}}")
def item(forge: AzureDevOps, call: Call) -> Any:
    return item_of(forge, call)


@answers("PATCH", f"{PROJECT}/wit/workitems/{{item}}", level=30)
def change_item(forge: AzureDevOps, call: Call) -> Any:
    patched(forge, item_of(forge, call)["fields"], call)
    return item_of(forge, call)


@answers("GET", f"{PROJECT}/pipelines")
def pipelines(forge: AzureDevOps, call: Call) -> Any:
    return listed([{"id": number, "name": name} for number, name in enumerate(forge.pipelines, start=1)])


@answers("POST", f"{PROJECT}/pipelines/{{pipeline}}/runs", fields="resources! templateParameters variables", level=30)
def run(forge: AzureDevOps, call: Call) -> Any:
    name = list(forge.pipelines)[int(call.arguments["pipeline"]) - 1]
    unknown = set(call.body.get("templateParameters", {})) - forge.pipelines[name]
    if unknown:
        raise forge.refuse(400, f"Unexpected parameter '{min(unknown)}'", "PipelineValidationException")
    forge.runs.append({"pipeline": name, **call.body})
    return Answer(body={"id": len(forge.runs), "state": "inProgress"})


@answers("GET", f"{PROJECT}/build/builds/{{build}}")
def build(forge: AzureDevOps, call: Call) -> Any:
    number = call.arguments["build"]
    if not number.isdigit() or int(number) not in forge.builds:
        raise forge.refuse(404, "The requested build could not be found.")
    return forge.builds[int(number)]


__all__ = ["AREAS", "Refusal"]
