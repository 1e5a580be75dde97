"""The one list of developer commands: `nox -l` shows them, `nox -s tests -- -k gate` passes options on."""

from __future__ import annotations

import os
import re
import shutil
import sys
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import nox
from nox.command import CommandFailed

ROOT = Path(__file__).parent
# `.venv/bin/nox` is called without activating the environment, so its tools are not on PATH.
BIN = Path(sys.executable).parent

# Most tests wait for services that they start, so that three at once are faster even on two cores. More than four
# would only slow each other's services down.
WORKERS = max(3, min(4, os.cpu_count() or 3))

nox.needs_version = ">=2025.11"
# Sessions run in nox's own environment: .ci/setup has made it from requirements.lock, and a second one for each
# session would cost minutes and gigabytes to hold the same.
nox.options.default_venv_backend = "none"
nox.options.sessions = ["tests", "lint", "types"]


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests: files side by side, then a few that want the machine to themselves; options name others."""
    pytest = (sys.executable, "-m", "pytest")
    if session.posargs:
        session.run(*pytest, *session.posargs)
        return
    # How a service ends, and what it does when there is too much of everything, is no question to ask while others
    # load the machine.
    alone = [f"tests/scoring/test_{name}.py" for name in ("ending", "overload", "workers")]
    # The files that wait most come first, or the last of them would be waited for alone.
    first = [f"tests/{name}" for name in ("act", "infra", "template", "delivery", "cli")]
    others = sorted({str(file.parent.relative_to(ROOT)) for file in ROOT.glob("tests/*/test_*.py")} - {*first})
    together = (f"--numprocesses={WORKERS}", "--dist=loadfile", "--no-loadscope-reorder")
    side_by_side = (*together, *(f"--ignore={file}" for file in alone), *first, *others)
    failed = False
    for options in (side_by_side, alone):
        try:
            # Idle threads of OpenBLAS spin for a while, which takes the processor from the tests beside.
            session.run(*pytest, "--durations=20", "-m", "not long", *options, env={"OPENBLAS_THREAD_TIMEOUT": "4"})
        except CommandFailed:
            failed = True
    if failed:
        session.error("tests failed: see above")


@nox.session(default=False)
def long(session: nox.Session) -> None:
    """Run the tests that `tests` leaves out, so that it stays under half an hour on two cores."""
    session.run(sys.executable, "-m", "pytest", "-m", "long", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check Python, shell scripts, workflows, actions and infrastructure."""
    session.run(sys.executable, "-m", "ruff", "check")
    session.run(sys.executable, "-m", "ruff", "format", "--check")
    session.run(str(BIN / "shellcheck"), *files(".ci/*"), "actions/each")
    lint_workflows(session, files(".github/workflows/*.yml"), files("actions/*/action.yml"))
    # As a team gets them. Their groups of concurrency are in the workflows that they call.
    with TemporaryDirectory(prefix="mlops-ci-lint-") as folder:
        for kind in files("templates/*/template.yaml"):
            name = Path(kind).parent.name
            render = (sys.executable, "-m", "mlops_ci", "init", name, f"{folder}/{name}", "--defaults", "--quiet")
            session.run(*render, silent=True)
        rendered = sorted(str(path) for path in Path(folder).glob("*/.github/workflows/*.yml"))
        lint_workflows(session, rendered, [], "--ignore=concurrency-limits")
    lint_other_pipelines(session)
    lint_infrastructure(session)


def lint_other_pipelines(session: nox.Session) -> None:
    """By the schemas that GitLab and Azure DevOps publish, for the two kinds that differ most."""
    with TemporaryDirectory(prefix="mlops-ci-lint-") as folder:
        for kind, pipelines in product(("batch-scoring", "monorepo"), ("gitlab", "azure-devops")):
            place = f"{folder}/{pipelines}/{kind}"
            answers = ("--defaults", f"--answer=pipelines={pipelines}", "--quiet")
            session.run(sys.executable, "-m", "mlops_ci", "init", kind, place, *answers, silent=True)
        gitlab = sorted(
            map(str, [*Path(folder).glob("*/*/.gitlab-ci.yml"), *Path(folder).glob("*/*/.gitlab/ci/*.yml")])
        )
        # The schema knows templates of jobs and steps, and none of variables.
        azure = sorted(
            str(path)
            for path in Path(folder).glob("*/*/.azure-pipelines/**/*.yml")
            if not path.name.endswith("variables.yml")
        )
        check = (sys.executable, "-m", "check_jsonschema", "--builtin-schema")
        session.run(*check, "vendor.gitlab-ci", "--data-transform=gitlab-ci", *gitlab)
        # A pattern of this schema is none of a stricter reading.
        stricter = ("--data-transform=azure-pipelines", "--regex-variant=nonunicode")
        session.run(*check, "vendor.azure-pipelines", *stricter, *azure)


def lint_infrastructure(session: nox.Session) -> None:
    """By checkov, offline: Terraform as it is written, Kubernetes as it is applied; where what that takes is there."""
    checkov = ROOT / "build/checkov/bin/checkov"
    for what, there in (("kubectl", shutil.which("kubectl")), ("checkov (`bash .ci/services up`)", checkov.exists())):
        if not there:
            (session.error if os.environ.get("CI") else session.warn)(f"infra/ is not looked at: there is no {what}")
            return
    with TemporaryDirectory(prefix="mlops-ci-lint-") as folder:
        for file in files("infra/**/overlays/*/kustomization.yaml") + files("infra/**/platform/kustomization.yaml"):
            rendered = session.run("kubectl", "kustomize", str(Path(file).parent), external=True, silent=True)
            # As mlops-ci writes it at every release: by its digest.
            released = re.sub(r"(?m)(?<= image: )[\w./-]+$", f"registry.invalid/scoring@sha256:{0:064}", str(rendered))
            (Path(folder) / f"{file.replace('/', '-')}").write_text(released)
        config = ("--config-file", str(ROOT / "tools/checkov/checkov.yaml"))
        session.run(str(checkov), *config, "--directory", "infra", "--directory", folder, external=True)


def lint_workflows(session: nox.Session, workflows: list[str], actions: list[str], *options: str) -> None:
    """By four linters; their few exceptions, with reasons, are in .github/zizmor.yml and .github/jactionlint.yaml."""
    configured = "--config-file=.github/jactionlint.yaml"
    shellcheck = f"--shellcheck={BIN / 'shellcheck'}"
    session.run(str(BIN / "jactionlint"), configured, shellcheck, *options, *workflows, *actions)
    strict = ("--offline", "--quiet", "--persona=pedantic", "--config=.github/zizmor.yml")
    session.run(str(BIN / "zizmor"), *strict, *workflows, *actions)
    for schema, documents in (("github-workflows", workflows), ("github-actions", actions)):
        if documents:
            check = ("-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}")
            session.run(sys.executable, *check, *documents)


@nox.session
def types(session: nox.Session) -> None:
    """Check the types."""
    session.run(sys.executable, "-m", "mypy", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Run the benchmarks; without a name all of them."""
    session.run(sys.executable, "-m", "benchmarks", *session.posargs)


@nox.session(default=False)
def simulations(session: nox.Session) -> None:
    """Simulate what gate and rollouts promise, and write their pages of docs/; `-- gate` or `-- rollouts` for one."""
    session.run(sys.executable, "-m", "simulations", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session(default=False)
def estimators(session: nox.Session) -> None:
    """Make docs/export-table.md, what is exported faithfully; `-- --check`, `-- --data FILE --target COLUMN`."""
    session.run(sys.executable, "-m", "tests.estimators", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session(default=False)
def crashes(session: nox.Session) -> None:
    """Kill every delivering command at each of its changes; `-- --every rollback` at each file that it touches."""
    session.run(sys.executable, "-m", "tests.delivery.crash_walk", *session.posargs)


@nox.session(default=False)
def reference(session: nox.Session) -> None:
    """Make docs/reference from the code; `-- --check` says what of it is not up to date."""
    session.run(sys.executable, "-m", "tools.reference", *session.posargs)


@nox.session(default=False)
def demo(session: nox.Session) -> None:
    """Walk the whole path on this machine."""
    session.run(sys.executable, "-m", "mlops_ci", "demo", *session.posargs)


@nox.session(default=False)
def lock(session: nox.Session) -> None:
    """Pin all dependencies anew; `nox -s lock -- --upgrade` takes the newest versions that pyproject.toml allows."""
    session.run(
        *(sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--all-extras"),
        # one file for every platform and every Python that is supported
        *("--universal", "--python-version", "3.11", "--generate-hashes"),
        # where the packages came from is no business of the repository
        *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
        *("--quiet", "--output-file", "requirements.lock"),
        *session.posargs,
    )
    session.run(
        *(sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "actions/setup/requirements.in"),
        # what a job needs of it, and no more
        *("--universal", "--python-version", "3.11", "--generate-hashes", "--constraint", "requirements.lock"),
        *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
        *("--quiet", "--output-file", "actions/setup/requirements.lock"),
    )
    session.run(
        *(sys.executable, "-m", "uv", "pip", "compile", "mlops_ci/resources/image-requirements.in"),
        # one version of each for every Python of an image, and nothing that is not named
        *("--python-version", "3.11", "--no-deps", "--generate-hashes", "--constraint", "requirements.lock"),
        *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
        *("--quiet", "--output-file", "mlops_ci/resources/image-requirements.lock"),
    )
    # environments of their own, which .ci/services makes
    for folder in ("tests/infra/azurerm", "tools/checkov"):
        session.run(
            *(sys.executable, "-m", "uv", "pip", "compile", f"{folder}/requirements.in"),
            *("--universal", "--python-version", "3.11", "--generate-hashes"),
            *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
            *("--quiet", "--output-file", f"{folder}/requirements.lock"),
        )


def files(pattern: str) -> list[str]:
    """The files that `pattern` names, relative to the root, in a fixed order."""
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(pattern) if path.is_file())
