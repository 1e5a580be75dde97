"""The repository on a forge, reached by plain Git from a checkout of it, which keeps its branches, files and settings.

The token is given to Git as a setting in the environment of that one process, for that one address: it is neither among
the arguments, which every user of the machine can read, nor in a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from mlops_ci.adapters.environment import child_environment
from mlops_ci.adapters.git import GitRepository
from mlops_ci.adapters.processes import Completed, run
from mlops_ci.core.naming import one_line
from mlops_ci.errors import ApprovalError, ConfigurationError, MlopsError, OutsideError
from mlops_ci.ports import Clock

ATTEMPTS = 5
HEADS = "refs/heads/"
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
_REFUSED = re.compile(r"authentication failed|could not read (username|password)|error: 40[134]|access denied", re.I)
_PASSING = re.compile(
    r"error: (408|429|5\d\d)|could not resolve|connect|timed? ?out|early eof|hung up|rpc failed|unable to access|"
    r"empty reply|reset by peer|unexpected disconnect",
    re.I,
)
_OVERTAKEN = re.compile(
    r"stale info|fetch first|non-fast-forward|cannot lock ref|failed to update ref|reference already exists|TF401028",
    re.I,
)
_REJECTED = re.compile(r"^!\t[^\t]*\t(.*)$", re.M)
_SAID = re.compile(r"^remote: ?(.*)$", re.M)
_LONGEST = 500


class GitRemote:
    """The repository at `url`, whose requests carry the header `Authorization: <authorization>`.

    Raises ConfigurationError where that would go over the network unencrypted.
    """

    def __init__(self, checkout: GitRepository, url: str, *, authorization: str, forge: str, clock: Clock) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _THIS_MACHINE):
            raise ConfigurationError(
                f"{forge} names the address {parts.scheme}://{parts.hostname} for Git, which would get the token "
                "unencrypted",
                fix=f"have {forge}'s administrators set its address to https://",
            )
        self.url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._checkout = checkout
        self._authorization = authorization
        self._forge = forge
        self._clock = clock

    def __repr__(self) -> str:
        return f"GitRemote({self.url!r})"

    def refs(self, *patterns: str) -> dict[str, str]:
        """The hash that each ref shows now, by its full name; that of a tag's commit under `<name>^{}`."""
        text = self._ask("ls-remote", "--quiet", self.url, *patterns).text
        pairs = (line.split("\t", 1) for line in text.splitlines() if "\t" in line)
        return {name: commit for commit, name in pairs}

    def shown(self, branch: str) -> str | None:
        """What the branch shows now; None where there is no such branch."""
        return self.refs(HEADS + branch).get(HEADS + branch)

    def fetch(self, *wanted: str, whole: bool = False) -> bool:
        """Brings commits, or what refs show, into the checkout without a ref for them; False where the forge has no
        such thing. `whole` completes a shallow checkout.
        """
        flags = ["--no-tags", "--quiet", "--no-write-fetch-head", "--no-auto-maintenance", *(["--unshallow"] * whole)]
        return self._ask("fetch", *flags, self.url, *wanted, needed=False).code == 0

    def push(self, commit: str, branch: str, *, expected: str | None) -> None:
        """Has the branch show the commit if it still shows `expected`, or is not there where that is None.

        Raises OutsideError where it has moved, ApprovalError where the branch's rules forbid it, and ConfigurationError
        where our token may not push at all. A push whose answer was lost is looked for.
        """
        lease = f"--force-with-lease={HEADS}{branch}:{expected or ''}"
        arguments = ["push", "--porcelain", "--no-verify", "--quiet", lease, self.url, f"{commit}:{HEADS}{branch}"]
        for attempt in range(ATTEMPTS):
            done = self._run(*arguments)
            shown = commit if done.code == 0 else self.shown(branch)
            if shown == commit:
                return
            rejected = _REJECTED.search(done.text)
            reason = rejected[1] if rejected else ""
            if shown != expected or _OVERTAKEN.search(reason):
                raise OutsideError(f"branch {branch} moved while mlops-ci committed to it", fix="run the command again")
            if reason:
                raise ApprovalError(
                    f"{self._forge} does not let mlops-ci move branch {branch}: {self._said(done) or reason}",
                    fix="have it proposed by merge request, or let the account that mlops-ci acts as push to it",
                )
            self._pause(done, attempt)
        raise AssertionError("the last pause raises")

    def _ask(self, *arguments: str, needed: bool = True) -> Completed:
        """What may be done twice; tried again where that may help."""
        for attempt in range(ATTEMPTS):
            done = self._run(*arguments)
            if done.code == 0 or (not needed and not self._passing(done) and not _REFUSED.search(done.stderr)):
                return done
            self._pause(done, attempt)
        raise AssertionError("the last pause raises")

    def _pause(self, done: Completed, attempt: int) -> None:
        """Waits before the next attempt; raises what happened where there is to be none."""
        if not self._passing(done) or attempt + 1 == ATTEMPTS:
            raise self._failure(done)
        self._clock.sleep(2.0**attempt)

    def _passing(self, done: Completed) -> bool:
        return bool(_PASSING.search(done.stderr)) and not _REFUSED.search(done.stderr)

    def _failure(self, done: Completed) -> MlopsError:
        if _REFUSED.search(done.stderr):
            return ConfigurationError(
                f"{self._forge} does not let our token use the repository by Git: {self._said(done)}",
                where=self.url,
                fix="the token needs to read and write the repository, and its account to be a member who may",
            )
        return OutsideError(f"Git cannot reach {self._forge}: {self._said(done)}", where=self.url, fix="try again")

    def _run(self, *arguments: str) -> Completed:
        return run(["git", *arguments], cwd=self._checkout.root, env=self._environment(), check=False)

    def _environment(self) -> dict[str, str]:
        """Settings come after those that the environment has already. An empty header, or helper, forgets those before
        it: a checkout of CI keeps a token of its own, for which two would be sent.
        """
        header = f"http.{self.url}.extraHeader"
        settings = [
            (header, ""), (header, f"Authorization: {self._authorization}"), ("credential.helper", ""),
            ("http.followRedirects", "false"), ("http.lowSpeedLimit", "1"), ("http.lowSpeedTime", "60"),
        ]  # fmt: skip
        present = child_environment().get("GIT_CONFIG_COUNT", "")
        first = int(present) if present.isdecimal() else 0
        numbered: Mapping[str, str] = {
            f"GIT_CONFIG_{what}_{first + number}": text
            for number, pair in enumerate(settings)
            for what, text in zip(("KEY", "VALUE"), pair, strict=True)
        }
        count = str(first + len(settings))
        return {**numbered, "GIT_CONFIG_COUNT": count, "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "LC_ALL": "C"}

    def _said(self, done: Completed) -> str:
        """The forge's own words, else Git's, on one line of bounded length and without the token."""
        words = [line.strip() for line in _SAID.findall(done.stderr) if line.strip(" =-")]
        text = "; ".join(words) or done.stderr.strip().splitlines()[-1:] or f"exit code {done.code}"
        said = text if isinstance(text, str) else text[0]
        return one_line(said.replace(self._authorization.rpartition(" ")[2], "***"))[:_LONGEST]
