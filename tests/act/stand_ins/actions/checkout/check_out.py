"""What actions/checkout does with the inputs that our workflows give it."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

COMMIT = 40


def main(environ: os._Environ[str]) -> str | None:
    """Raises nothing: the answer is what kept it from checking out."""
    if environ["PERSIST"] != "false":
        return "persist-credentials is not false: the token would stay in .git/config for whatever runs next"
    repository, ref = environ["REPOSITORY"], environ["REF"]
    own = repository == environ["GITHUB_REPOSITORY"]
    remote = Path(environ["STAND_IN_REMOTES"], f"{repository}.git")
    if not remote.is_dir():
        return f"repository '{environ['GITHUB_SERVER_URL']}/{repository}/' not found"
    if own and not may_read(environ):
        return f"the job's token may not read {repository}: it lacks `contents: read`"
    if not ref:
        ref, commit = (environ["GITHUB_REF"], environ["GITHUB_SHA"]) if own else ("refs/heads/main", "")
    else:
        commit = ref if len(ref) == COMMIT else ""
    check_out(remote, Path(environ["GITHUB_WORKSPACE"], environ["PATH_WITHIN"]), repository, ref, commit, environ)
    return None


def may_read(environ: os._Environ[str]) -> bool:
    # The real one is given the job's token where nobody names another.
    token = environ["TOKEN"] or Path(environ["STAND_IN_KEPT"], f"token-of-{environ['GITHUB_JOB']}").read_text()
    address = f"{environ['GITHUB_API_URL']}/repos/{environ['GITHUB_REPOSITORY']}/git/ref/heads/main"
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
    try:
        urllib.request.urlopen(request, timeout=60).close()
    except urllib.error.HTTPError:
        return False
    return True


def check_out(remote: Path, folder: Path, repository: str, ref: str, commit: str, environ: os._Environ[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=folder, check=True)

    git("init", "-q", "-b", "main")
    # As the real one leaves it: an address on the server, and no credentials to reach it with.
    git("remote", "add", "origin", f"{environ['GITHUB_SERVER_URL']}/{repository}")
    branch = ref.removeprefix("refs/heads/") if not ref.startswith("refs/pull/") else ""
    everything = environ["DEPTH"] == "0"
    wanted = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"] if everything else []
    if commit:
        wanted.append(commit)
    elif not everything:
        wanted.append(f"+refs/heads/{branch}:refs/remotes/origin/{branch}")
    depth = [] if everything else [f"--depth={environ['DEPTH']}"]
    git("fetch", "-q", "--no-tags", *depth, f"file://{remote}", *wanted)
    if branch and branch != commit:
        git("checkout", "-q", "--force", "-B", branch, commit or f"refs/remotes/origin/{branch}")
    else:
        git("checkout", "-q", "--force", "--detach", commit)


if __name__ == "__main__":
    sys.exit(main(os.environ))
