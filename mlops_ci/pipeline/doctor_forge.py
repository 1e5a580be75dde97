"""What `doctor` finds in a repository's settings on GitHub. A setting that was not seen is no finding."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mlops_ci.core.forge_settings import BranchRules, ForgeSettings
from mlops_ci.pipeline.doctor import Finding, error, note, warning
from mlops_ci.pipeline.doctor_workflows import GATE, Wiring

CLOUDS = {
    "s3": ("MLOPS_AWS_ROLE", "MLOPS_AWS_READ_ROLE"),
    "az": ("MLOPS_AZURE_CLIENT_ID", "MLOPS_AZURE_READ_CLIENT_ID"),
    "gs": ("MLOPS_GOOGLE_SERVICE_ACCOUNT", "MLOPS_GOOGLE_READ_SERVICE_ACCOUNT"),
}
"""By the scheme of the store: the variables that name who writes it, and who reads it in a pull request."""
STORE, APP, APP_KEY, OWN_GATE = "MLOPS_STORE", "MLOPS_APP_ID", "app-private-key", "MLOPS_GATE"
ADMIT = "mlops-ci-admit"
WHOLE = ("repo", "repository", "repository_id", "context")
"""Claims that tell one repository from another, and what its jobs are for."""
_SECRET = re.compile(r"secrets\.(\w+)")


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What the repository asks of the forge; `people` have to approve somewhere, members of `teams` among them.

    `gate` is the check that mlops-ci gives its own pull requests where no variable says otherwise.
    """

    wiring: Wiring
    people: bool
    gate: str
    teams: tuple[str, ...] = ()


def forge_findings(settings: ForgeSettings, needs: Needs) -> Iterator[Finding]:
    """All that the settings seen give rise to."""
    yield from _branch(settings, needs)
    yield from _actions(settings)
    yield from _store(settings, needs.wiring)
    yield from _app(settings, needs)
    yield from _secrets(settings, needs.wiring)
    yield from _identity(settings)
    for fault in settings.owners_faults or ():
        yield warning(
            f"{fault.path}:{fault.line}",
            f"GitHub does not take this line: {fault.message}",
            "mend it: the owners may be others than it says",
        )
    for team in (team for team in needs.teams if settings.teams.get(team) == frozenset()):
        yield error(team, "the team has no members, so nobody can approve", "add people to it, or name others")


def _branch(settings: ForgeSettings, needs: Needs) -> Iterator[Finding]:
    main, rules = settings.main, settings.branch
    for path, branches in needs.wiring.pushes.items():
        if branches and not any(fnmatchcase(main, pattern) for pattern in branches):
            yield error(
                path,
                f"it releases from {', '.join(branches)}, and the default branch is {main}",
                f"write branches: [{main}]",
            )
    if rules is None:
        return
    if not rules.protected:
        weigh = error if needs.people else warning
        yield weigh(
            main,
            "the branch is not protected: whoever may write can change what production is to serve, unreviewed",
            "Settings, Rules, Rulesets: require a pull request, and the check of the workflows' gate",
        )
        return
    if rules.pull_request is False:
        yield warning(
            main,
            "the branch may be pushed to without a pull request",
            "Settings, Rules, Rulesets: require a pull request before merging",
        )
    if rules.code_owners is False and needs.people:
        yield note(
            main,
            "GitHub does not ask the owners for a change of main; mlops-ci asks them for promotions only",
            "Settings, Rules, Rulesets: require review from code owners",
        )
    yield from _checks(main, rules, needs.wiring)


def _checks(main: str, rules: BranchRules, wiring: Wiring) -> Iterator[Finding]:
    if not wiring.gates or set(wiring.gates) & set(rules.checks):
        return
    if GATE in rules.checks:
        yield error(
            main,
            f"no workflow ever reports a check {GATE!r}, so no pull request can be merged",
            f"require {wiring.gates[0]!r} instead",
        )
    else:
        yield warning(
            main,
            "a pull request may be merged before its models are judged, or against it",
            f"require the check {wiring.gates[0]!r}",
        )


def _actions(settings: ForgeSettings) -> Iterator[Finding]:
    if settings.allowed_actions == "none":
        yield error("Actions", "they are switched off", "Settings, Actions, General: allow them")
    elif settings.allowed_actions in ("selected", "local_only"):
        yield warning(
            "Actions",
            "only some actions may be used",
            "Settings, Actions, General: allow the toolkit's and those that it uses (actions/*, and of the clouds)",
        )
    if settings.default_permissions == "write":
        yield warning(
            "Actions",
            "a job that says nothing of permissions may write the repository",
            "Settings, Actions, General, Workflow permissions: read repository contents",
        )
    admit = (settings.environments or {}).get(ADMIT)
    if admit is not None and (admit.reviewers or admit.branches):
        what = "people have to agree to each run" if admit.reviewers else "only some branches may use it"
        yield warning(
            f"environment {ADMIT}",
            f"{what}, so what pull requests train does not get into the store",
            "take the rule away: it only gives the job a name of its own",
        )


def _store(settings: ForgeSettings, wiring: Wiring) -> Iterator[Finding]:
    if settings.variables is None or not wiring.called or "store" in wiring.inputs:
        return
    store = settings.variables.get(STORE, "")
    if not store:
        yield error(
            f"variable {STORE}",
            "no store is named, so each run forgets what it made",
            f"gh variable set {STORE} --body s3://BUCKET/PATH (or az://, gs://)",
        )
        return
    scheme = store.partition("://")[0] if "://" in store else ""
    if not scheme:
        yield warning(
            f"variable {STORE}",
            f"{store} is a folder, which a runner of GitHub's forgets",
            "name an object store, or use runners of your own",
        )
    writer, reader = CLOUDS.get(scheme, ("", ""))
    if writer and not settings.variables.get(writer):
        yield warning(
            f"variable {writer}",
            f"nothing says who the jobs are when they write {store}, unless an environment does",
            f"gh variable set {writer}; the Terraform modules make the role",
        )
    elif writer and not settings.variables.get(reader):
        yield warning(
            f"variable {reader}",
            "pull requests cannot read the store, so they are judged without the champion",
            f"gh variable set {reader}: an identity that only reads",
        )


def _identity(settings: ForgeSettings) -> Iterator[Finding]:
    variables = settings.variables or {}
    for writer, reader in CLOUDS.values():
        if variables.get(writer) and variables.get(writer) == variables.get(reader):
            yield error(
                f"variable {reader}",
                f"it is the same as {writer}: the code of a pull request can write the store",
                "make an identity that only reads",
            )
    if settings.subject is not None and settings.subject and not set(settings.subject) & set(WHOLE):
        yield error(
            "OIDC subject",
            f"{', '.join(settings.subject)} does not tell this repository from others",
            "add `repo` and `context` to the claims (PUT /repos/OWNER/NAME/actions/oidc/customization/sub)",
        )
    elif settings.subject:
        yield note(
            "OIDC subject",
            f"it is made of {', '.join(settings.subject)}, which is not GitHub's own choice",
            "see that the trust policies of the roles are written for it",
        )


def _app(settings: ForgeSettings, needs: Needs) -> Iterator[Finding]:
    """What a job's own token cannot do, for which a GitHub App is needed."""
    wiring = needs.wiring
    if settings.variables is None or not wiring.called or settings.variables.get(APP) or "app-id" in wiring.inputs:
        return
    if settings.actions_propose is False:
        yield error(
            "Actions",
            "they may not open pull requests, so no promotion is ever proposed",
            f"Settings, Actions, General: allow GitHub Actions to create pull requests, or name an App ({APP})",
        )
    gate = settings.variables.get(OWN_GATE) or needs.gate
    required = set(wiring.gates) & set(settings.branch.checks if settings.branch else ())
    if required and gate not in required:
        name = min(required)
        yield error(
            f"variable {OWN_GATE}",
            f"{settings.main} requires {name!r}, which pull requests of a job's own token never get",
            f"gh variable set {OWN_GATE} --body {name!r}: mlops-ci then gives them that check",
        )
    if needs.teams:
        yield error(
            ", ".join(needs.teams),
            "a job's own token cannot read who is in a team: no approval will count",
            f"name people, or a GitHub App with `members: read` ({APP})",
        )
    if "template-update" in wiring.called:
        yield warning(
            "template-update",
            "a job's own token may not change workflows",
            f"name a GitHub App with `workflows: write` ({APP}), or run mlops-ci update by hand",
        )
    yield note(
        f"variable {APP}",
        "pull requests that a job's own token opens start no workflow; mlops-ci itself gives them its check",
        "name a GitHub App if other workflows are to check them",
    )


def _secrets(settings: ForgeSettings, wiring: Wiring) -> Iterator[Finding]:
    known = settings.secrets
    if known is None:
        return
    for name in sorted(wiring.secrets - known):
        yield warning(
            f"secret {name}", "a workflow asks for it, and there is none of that name", f"gh secret set {name}"
        )
    named = (settings.variables or {}).get(APP) or "app-id" in wiring.inputs
    handed = {found.upper() for found in _SECRET.findall(wiring.keys.get(APP_KEY, ""))}
    if named and not handed & known:
        name = next(iter(sorted(handed)), "MLOPS_APP_PRIVATE_KEY")
        yield error(
            f"secret {name}",
            "a GitHub App is named, and its private key is not there",
            f"gh secret set {name} < key.pem, and hand it to the workflows as {APP_KEY}",
        )
