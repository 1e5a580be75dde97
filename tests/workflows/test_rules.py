"""Each rule refuses what it is there to refuse: our own workflows and actions, each with one thing spoilt."""

from __future__ import annotations

import pytest

from tests.workflows import rules
from tests.workflows.documents import Document, action, workflow
from tests.workflows.rules import Rule

PULL_REQUEST, PROMOTE, RELEASE, REPORT = "model-pull-request", "model-promote", "model-release", "model-report"
CHECKOUT = "uses: actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2"
KEEP_NO_TOKEN = "          persist-credentials: false\n"
SETUP = "uses: mlops-ci/mlops-ci/actions/setup@v1"
TIP = "          ref: ${{ github.ref_name }}\n"
READ_ROLE = "${{ inputs.aws-read-role || vars.MLOPS_AWS_READ_ROLE }}"
TOP = "permissions: {}\n\n"
REVIEW = "github.event_name != 'pull_request_review' && "
FAILS = "contains(needs.*.result, 'failure') || contains(needs.*.result, 'cancelled')"
SAME = "github.event.pull_request.head.repo.full_name == github.repository"
OTHER = "github.event.pull_request.head.repo.full_name != github.repository"


@pytest.mark.parametrize(
    ("rule", "name", "old", "new", "said"),
    [
        (rules.permissions_are_empty_at_the_top, RELEASE, TOP, "", "None"),
        (rules.permissions_are_empty_at_the_top, RELEASE, TOP, "permissions: read-all\n\n", "read-all"),
        (rules.permissions_are_empty_at_the_top, RELEASE, TOP, "permissions:\n  contents: read\n\n", "contents"),
        (rules.permissions_are_named_for_each_job, PULL_REQUEST, "    permissions: {}\n", "", "job gate"),
        (
            rules.permissions_are_named_for_each_job, RELEASE,
            "    permissions:\n      contents: read # the checkout\n", "    permissions: write-all\n", "job plan",
        ),
        (rules.others_actions_are_pinned_and_official, RELEASE, " # v6.0.2", "", "version"),
        (rules.others_actions_are_pinned_and_official, RELEASE, " # v6.0.2", " # v6", "version"),
        (rules.others_actions_are_pinned_and_official, RELEASE, CHECKOUT, "uses: actions/checkout@v6 # v6.0.2",
         "commit"),
        (rules.others_actions_are_pinned_and_official, RELEASE, "uses: actions/checkout", "uses: someone/checkout",
         "own"),
        (rules.own_actions_are_at_one_ref, RELEASE, "actions/release@v1", "actions/release@v2", "several"),
        (rules.own_actions_are_at_one_ref, RELEASE, SETUP, "uses: ./actions/setup", "caller's checkout"),
        (rules.checkouts_leave_no_token, RELEASE, KEEP_NO_TOKEN, "", "keeps the token"),
        (
            rules.checkouts_leave_no_token, PULL_REQUEST,
            KEEP_NO_TOKEN, "          persist-credentials: true\n", "train",
        ),
        (rules.jobs_have_a_time_limit, PULL_REQUEST, "    timeout-minutes: 5\n", "", "job gate"),
        (
            rules.shells_get_values_by_environment, PULL_REQUEST, "run: exit 1", "run: echo ${{ github.head_ref }}",
            "in a program",
        ),
        (rules.shells_notice_failures, PULL_REQUEST, "        shell: bash\n", "", "without `shell: bash`"),
        (
            rules.shells_get_values_by_environment, RELEASE, "          models: ${{ matrix.models }}\n",
            "          models: a\n          script: say(${{ github.head_ref }})\n", "in a program",
        ),
        (rules.secrets_are_named, RELEASE, "secrets.signing-key }}", "secrets.signing }}", "signing is used and not"),
        (rules.secrets_are_named, RELEASE, "secrets.signing-key }}", "inputs.run }}",
         "signing-key is declared and not"),
        (rules.secrets_are_named, RELEASE, "required: false", "required: true", "app-private-key is required"),
        (rules.inputs_are_used, RELEASE, "inputs.registry-username", "inputs.username", "username is used and not"),
        (rules.inputs_are_used, RELEASE, "inputs.registry-username", "inputs.run",
         "registry-username is declared and not"),
        (
            rules.inputs_are_used, RELEASE,
            "description: Who signs in there; by default the variable `MLOPS_REGISTRY_USERNAME`, else who started the "
            "run.",
            'description: ""', "registry-username has no description",
        ),
        (rules.own_actions_take_what_they_are_given, RELEASE, "          models: ", "          model: ",
         "no input model"),
        (rules.own_actions_take_what_they_are_given, REPORT, "          run-id: ${{ github.event.workflow_run.id }}\n",
         "", "needs run-id"),
        (rules.runs_on_what_the_caller_says, RELEASE, "runs-on: ${{ fromJSON(inputs.runs-on) }}", "runs-on: x", "plan"),
        (rules.starts_for_no_stranger, PULL_REQUEST, "  workflow_call:\n", "  pull_request_target:\n", "stranger"),
        (rules.concurrency_cannot_harm, RELEASE, "cancel-in-progress: false", "cancel-in-progress: true", "cancelled"),
        (rules.concurrency_cannot_harm, RELEASE, "group: mlops-ci-release-", "group: mlops-ci-deliver-", "drops it"),
        (rules.concurrency_cannot_harm, RELEASE, "group: mlops-ci-release-", "group: ", "a caller's"),
        (
            rules.concurrency_cannot_harm, RELEASE, TOP,
            TOP + "concurrency:\n  group: mlops-ci-x\n  cancel-in-progress: true\n\n", "which write",
        ),
        (
            rules.concurrency_cannot_harm, RELEASE, TOP,
            TOP + "concurrency:\n  group: mlops-ci-release-${{ inputs.directory }}-${{ matrix.name }}\n\n",
            "waits for its own workflow",
        ),
        (rules.matrices_go_on, RELEASE, "      fail-fast: false\n", "", "cancels the others"),
        (rules.every_job_writes_a_summary, PULL_REQUEST, "$GITHUB_STEP_SUMMARY", "/dev/null", "job gate"),
        (
            rules.strangers_code_has_no_rights, PULL_REQUEST,
            "      id-token: write # for the identity that may read the store; a fork's run gets none\n",
            "      pull-requests: write\n", "may {'contents': 'read', 'pull-requests': 'write'}",
        ),
        (rules.strangers_code_has_no_rights, PULL_REQUEST, READ_ROLE, "${{ vars.MLOPS_AWS_ROLE }}", "MLOPS_AWS_ROLE"),
        (rules.strangers_code_has_no_rights, PULL_REQUEST, READ_ROLE, "${{ inputs.aws-write-role }}", "aws-write-role"),
        (rules.strangers_code_has_no_rights, PULL_REQUEST, READ_ROLE, "${{ secrets.role }}", "secrets.role"),
        (rules.strangers_code_has_no_rights, PULL_REQUEST, READ_ROLE, "${{ github.token }}", "github.token"),
        # The job that writes installs what the pull request asks for, runs its code, or runs a program beside it.
        (
            rules.strangers_code_has_no_rights, PULL_REQUEST, '          requirements: ""\n', "",
            "job admit runs a pull request's code and has",
        ),
        (rules.strangers_code_has_no_rights, PULL_REQUEST, "actions/admit@v1", "actions/report@v1", "job admit runs"),
        (
            rules.strangers_code_has_no_rights, PULL_REQUEST, "      - uses: mlops-ci/mlops-ci/actions/admit@v1\n",
            "      - run: make\n      - uses: mlops-ci/mlops-ci/actions/admit@v1\n", "job admit runs",
        ),
        (
            rules.strangers_code_has_no_rights, PULL_REQUEST,
            "    environment: ${{ inputs.admit-environment }}\n", "", "identity of every job",
        ),
        (rules.forks_are_kept_apart, PULL_REQUEST, f"      - if: {SAME} ||", "      - if: true ||", "for a fork"),
        (rules.forks_are_kept_apart, PULL_REQUEST, OTHER, "false", "reads the store for a fork"),
        (rules.forks_are_kept_apart, PULL_REQUEST, f"({SAME} ||", "(true ||", "keeps what a fork made"),
        (rules.the_gate_tells_failure_from_nothing_to_do, PULL_REQUEST, "    if: always()\n", "", "skipped"),
        (rules.the_gate_tells_failure_from_nothing_to_do, PULL_REQUEST, "if: always()", "if: success()", "skipped"),
        (rules.the_gate_tells_failure_from_nothing_to_do, PULL_REQUEST, "[plan, train, admit]", "[plan, train]",
         "every"),
        (
            rules.the_gate_tells_failure_from_nothing_to_do, PULL_REQUEST, FAILS, "contains(needs.*.result, 'failure')",
            "exactly",
        ),
        (
            rules.the_gate_tells_failure_from_nothing_to_do, PULL_REQUEST, FAILS,
            FAILS + " || contains(needs.*.result, 'skipped')", "exactly",
        ),
        (rules.the_gate_tells_failure_from_nothing_to_do, PULL_REQUEST, "run: exit 1", "run: exit 0", "exactly"),
        (
            rules.the_gate_tells_failure_from_nothing_to_do, PULL_REQUEST, "    permissions: {}\n",
            "    permissions:\n      contents: write\n", "no rights",
        ),
        (rules.main_is_checked_out, RELEASE, TIP, "", "the commit of the event"),
        (rules.main_is_checked_out, PROMOTE, TIP, "          ref: ${{ github.event.pull_request.head.sha }}\n", "head"),
        (
            rules.nothing_is_checked_out, REPORT,
            "    steps:\n", f"    steps:\n      - {CHECKOUT}\n", "more than our actions",
        ),
        (rules.nothing_is_checked_out, REPORT, "    steps:\n", "    steps:\n      - run: make\n",
         "more than our actions"),
        (rules.nothing_is_checked_out, REPORT, '          requirements: ""\n', "", "code of the repository"),
        (rules.nothing_is_checked_out, REPORT, "actions/publish-report@v1", "actions/report@v1",
         "code of the repository"),
        (rules.identities_stay_on_main, PROMOTE, f"    if: {REVIEW}inputs.environment != ''\n", "", "job promote"),
        (rules.identities_stay_on_main, PROMOTE, f"    if: {REVIEW}inputs", "    if: inputs", "reconcile"),
    ],
)  # fmt: skip
def test_a_spoilt_workflow_is_refused(rule: Rule, name: str, old: str, new: str, said: str) -> None:
    whole = workflow(name)
    assert rule(whole) == []
    assert said in "; ".join(rule(whole.replaced(old, new)))


@pytest.mark.parametrize(
    ("rule", "name", "old", "new", "said"),
    [
        (rules.actions_are_thin, "score", '"$DIRECTORY"', "$DIRECTORY", "would split"),
        (rules.actions_are_thin, "score", '${RELEASE:+"--release=$RELEASE"}', "${RELEASE:+--release=$RELEASE}",
         "split"),
        (rules.actions_are_thin, "score", "mlops-ci score", "ls; mlops-ci score", "more than one call"),
        (rules.actions_are_thin, "score", "mlops-ci score", "mlops-ci check && mlops-ci score", "more than one call"),
        (rules.actions_are_thin, "score", "        MODEL: ${{ inputs.model }}\n", "", "MODEL is set nowhere"),
        (rules.actions_are_thin, "score", "steps.run.outputs.output ", "steps.run.outputs.input ", "output output"),
        (rules.actions_are_thin, "score", "    - id: run\n", "    - run: ls\n      shell: bash\n    - id: run\n",
         "one step"),
        (rules.shells_get_values_by_environment, "score", '"$DIRECTORY"', '"${{ inputs.directory }}"', "in a program"),
        (rules.inputs_are_used, "score", "inputs.version", "inputs.release", "version is declared and not used"),
        (rules.others_actions_are_pinned_and_official, "identity", "azure/login", "azur/login", "nobody's own"),
    ],
)  # fmt: skip
def test_a_spoilt_action_is_refused(rule: Rule, name: str, old: str, new: str, said: str) -> None:
    whole = action(name)
    assert rule(whole) == []
    assert said in "; ".join(rule(whole.replaced(old, new)))


def test_every_rule_is_tried_here() -> None:
    tried = {mark.args[1][at][0] for test in (test_a_spoilt_workflow_is_refused, test_a_spoilt_action_is_refused)
             for mark in test.pytestmark for at in range(len(mark.args[1]))}  # fmt: skip
    every = {
        *rules.EVERY_WORKFLOW,
        *rules.EVERY_ACTION,
        *(rule for some in rules.OF_A_WORKFLOW.values() for rule in some),
    }
    assert {rule.__name__ for rule in every - tried} == set()


def test_all_secrets_at_once_are_refused() -> None:
    caller = Document(
        name="x", text="on: push\njobs:\n  a:\n    uses: o/r/.github/workflows/x.yml@v1\n    secrets: inherit\n"
    )
    assert rules.secrets_are_named(caller) == ["job a: secrets: inherit"]
