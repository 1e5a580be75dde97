"""The team's repository as it is on GitHub, read and changed without a checkout of it.

What a hash names never changes and is asked for once. What a branch shows is asked for each time.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mlops_ci.adapters.git import GitRepository
from mlops_ci.adapters.git_commit import TOOLKIT_EMAIL
from mlops_ci.adapters.github_api import GitHubApi
from mlops_ci.adapters.github_forge import OWN
from mlops_ci.adapters.rest_answer import Node
from mlops_ci.errors import ApprovalError, ConfigurationError, OutsideError

MOST_FOLDERS = 2000
"""How many folders may differ between two commits; each is a request or two."""
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MOVED = re.compile(r"not a fast.forward|reference does not exist|reference already exists|is at .* but expected", re.I)
WORKFLOWS = ".github/workflows/"
_FOLDER, _SUBMODULE = "tree", "commit"


class Entry(NamedTuple):
    """What a folder has under a name."""

    mode: str
    kind: str
    hash: str


class GitHubRepository:
    """Implements `ports.Repository`. The checkout only says where in the repository the project lies, and stays as it
    is. `HEAD` is what the default branch shows.
    """

    def __init__(self, api: GitHubApi, checkout: GitRepository) -> None:
        self._api = api
        self._checkout = checkout
        self._trees: dict[str, str] = {}
        self._folders: dict[str, Mapping[str, Entry]] = {}
        self._blobs: dict[str, bytes] = {}
        self._bases: dict[tuple[str, str], str] = {}

    @property
    def root(self) -> Path:
        return self._checkout.root

    @property
    def main(self) -> str:
        return self._api.default_branch

    def commit(self, ref: str = "HEAD") -> str | None:
        if ref in ("HEAD", self.main):
            found = self._shown(self.main)
            if found is None:
                raise ConfigurationError(
                    f"GitHub shows no branch {self.main} of {self._api.repository}",
                    fix="push a first commit to it, and let our token read it (`contents: read`)",
                )
            return found
        if _HASH.fullmatch(ref):
            return ref if self._tree_of(ref) else None
        return self._shown(ref) or self._resolved(ref)

    def read(self, path: str, *, ref: str, from_top: bool = False) -> bytes | None:
        commit = self.commit(ref)
        entry = self._entry(commit, path if from_top else self.from_top(path)) if commit else None
        if entry is None or entry.kind in (_FOLDER, _SUBMODULE):
            return None
        return self._blob(entry.hash)

    def from_top(self, path: str) -> str:
        return self._checkout.from_top(path)

    def changed(self, before: str, after: str) -> Sequence[str]:
        # GitHub's own comparison begins at the merge base, and names no more than 300 files.
        trees = [self._tree_of(self._require(each)) for each in (before, after)]
        return sorted(_Comparison(self).between(trees[0], trees[1]))

    def merge_base(self, one: str, other: str) -> str | None:
        ends = self.commit(one), self.commit(other)
        if ends[0] is None or ends[1] is None:
            return None
        pair = ends[0], ends[1]
        if pair not in self._bases:
            where = self._api.in_repository("compare/{}...{}", *pair)
            node = self._api.ask("GET", where, query={"per_page": 1}, allow=(404,))
            self._bases[pair] = "" if node.status == 404 else node.text("merge_base_commit", "sha")
        return self._bases[pair] or None

    def commit_files(
        self,
        files: Mapping[str, bytes | None],
        *,
        branch: str,
        onto: str,
        message: str,
        author: str = "",
        replace: bool = False,
    ) -> str:
        """As `ports.Repository`. Only our own branches are ever replaced. Without an `author` the commit is the token's
        own, and GitHub signs that of an App.

        Raises ApprovalError where the rules of the branch keep us from it.
        """
        forced = replace and branch.startswith(OWN)
        before = self._shown(branch)
        if before not in (None, onto) and not forced:
            raise _moved(branch)
        placed = {self.from_top(path): data for path, data in files.items()}
        needed = "workflows" if any(path.startswith(WORKFLOWS) for path in placed) else "contents"
        tree = self._changed_tree(self._require(onto), placed, needed)
        content: dict[str, object] = {"message": message, "tree": tree, "parents": [onto]}
        if author:
            content["author"] = {"name": author, "email": TOOLKIT_EMAIL}
        commit = self._create("git/commits", content, needed)
        self._point(branch, commit, exists=before is not None, forced=forced)
        return commit

    def folder(self, tree: str) -> Mapping[str, Entry]:
        """What a folder has, by name; nothing in that without a hash."""
        if not tree:
            return {}
        if tree not in self._folders:
            node = self._api.ask("GET", self._path("git/trees/{}", tree))
            if node.has("truncated") and node.flag("truncated"):
                raise OutsideError(f"GitHub does not show the whole of the folder {tree[:12]}", fix="divide the folder")
            self._folders[tree] = {
                each.text("path"): Entry(each.text("mode"), each.text("type"), each.text("sha"))
                for each in node.items("tree")
            }
        return self._folders[tree]

    def _entry(self, commit: str, path: str) -> Entry | None:
        entry = Entry("040000", _FOLDER, self._tree_of(commit))
        for name in path.split("/"):
            found = self.folder(entry.hash).get(name) if entry.kind == _FOLDER else None
            if found is None:
                return None
            entry = found
        return entry

    def _tree_of(self, commit: str) -> str:
        """The folder at the top of the commit; empty where there is no such commit."""
        if commit not in self._trees:
            node = self._api.ask("GET", self._path("git/commits/{}", commit), allow=(404, 422))
            if node.status != 200:
                return ""
            self._trees[commit] = node.text("tree", "sha")
        return self._trees[commit]

    def _blob(self, blob: str) -> bytes:
        if blob not in self._blobs:
            node = self._api.ask("GET", self._path("git/blobs/{}", blob))
            self._blobs[blob] = _decoded(node)
        return self._blobs[blob]

    def _shown(self, branch: str) -> str | None:
        """What the branch shows; None where there is no such branch."""
        if branch.startswith("refs/"):
            return None
        node = self._api.ask("GET", self._path("git/ref/heads/{}", branch), allow=(404, 409))
        return node.text("object", "sha") if node.status == 200 else None

    def _resolved(self, ref: str) -> str | None:
        """The commit that a tag, the beginning of a hash, or a whole name of a ref stands for."""
        where = self._path("commits/{}", ref.removeprefix("refs/"))
        node = self._api.ask("GET", where, allow=(404, 409, 422))
        return node.text("sha") if node.status == 200 else None

    def _require(self, ref: str) -> str:
        commit = self.commit(ref)
        if commit is None:
            raise ConfigurationError(f"there is no commit {ref} on GitHub", fix="push it first")
        return commit

    def _changed_tree(self, commit: str, files: Mapping[str, bytes | None], needed: str) -> str:
        """The commit's folder with the files in it; what is None is taken away."""
        base, entries = self._tree_of(commit), []
        for path, data in files.items():
            blob = None
            if data is not None:
                content = {"content": base64.b64encode(data).decode(), "encoding": "base64"}
                blob = self._create("git/blobs", content, needed)
            elif self._entry(commit, path) is None:  # GitHub refuses to take away what is not there
                continue
            entries.append({"path": path, "mode": "100644", "type": "blob", "sha": blob})
        return self._create("git/trees", {"base_tree": base, "tree": entries}, needed) if entries else base

    def _create(self, what: str, content: Mapping[str, object], needed: str) -> str:
        """The hash of the new object. One that was made twice is seen by nobody."""
        node = self._api.ask("POST", self._path(what), content, again=True, allow=(403, 404))
        if node.status == 201:
            return node.text("sha")
        only = "; only an App has that, and GITHUB_TOKEN never" if needed == "workflows" else ""
        raise ConfigurationError(
            f"GitHub does not let our token commit to {self._api.repository}: {node.said}",
            fix=f"give the job (`permissions:`), or the App, `{needed}: write`{only}",
        )

    def _point(self, branch: str, commit: str, *, exists: bool, forced: bool) -> None:
        """Moves the branch, or makes it."""
        if exists:
            where, body = self._path("git/refs/heads/{}", branch), {"sha": commit, "force": forced}
            node = self._api.ask("PATCH", where, body, allow=(403, 404, 409, 422))
        else:
            body = {"ref": f"refs/heads/{branch}", "sha": commit}
            node = self._api.ask("POST", self._path("git/refs"), body, allow=(403, 404, 409, 422), again=True)
        if node.status in (200, 201) or self._shown(branch) == commit:  # made by a request whose answer was lost
            return
        if _MOVED.search(node.said):
            raise _moved(branch)
        raise ApprovalError(
            f"GitHub does not let mlops-ci move branch {branch}: {node.said}",
            fix="have it proposed by pull request, or let the App that mlops-ci acts as bypass the branch's rules",
        )

    def _path(self, pattern: str, *parts: object) -> str:
        return self._api.in_repository(pattern, *parts)


class _Comparison:
    """All files that two folders have otherwise, as `git diff-tree -r --no-renames` names them."""

    def __init__(self, repository: GitHubRepository) -> None:
        self._repository = repository
        self._folders = 0

    def between(self, one: str, other: str, place: str = "") -> Iterator[str]:
        self._folders += 1
        if self._folders > MOST_FOLDERS:
            raise OutsideError(f"more than {MOST_FOLDERS} folders differ", fix="compare what is closer together")
        before, after = self._repository.folder(one), self._repository.folder(other)
        for name in before.keys() | after.keys():
            pair = before.get(name), after.get(name)
            if pair[0] == pair[1]:
                continue
            if any(each is not None and each.kind != _FOLDER for each in pair):
                yield place + name
            if any(each is not None and each.kind == _FOLDER for each in pair):
                trees = [each.hash if each is not None and each.kind == _FOLDER else "" for each in pair]
                yield from self.between(trees[0], trees[1], f"{place}{name}/")


def _decoded(node: Node) -> bytes:
    if node.text("encoding") != "base64":
        raise OutsideError(f"GitHub's answer to {node.asked} is not in base64", fix="try again")
    try:
        data = base64.b64decode(node.text("content"))
    except ValueError:
        data = None
    if data is None or len(data) != node.number("size"):
        raise OutsideError(f"GitHub's answer to {node.asked} is not the whole file", fix="try again")
    return data


def _moved(branch: str) -> OutsideError:
    return OutsideError(f"branch {branch} moved while mlops-ci committed to it", fix="run the command again")
