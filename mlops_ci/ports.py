"""The outside systems as the pipeline sees them. Adapters implement these; tests may bring small fakes of their own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    from mlops_ci.core.approval import Review
    from mlops_ci.core.predictions import Predictions
    from mlops_ci.core.records import Release
    from mlops_ci.core.signature import ColumnKind, Signature


class ObjectStore(Protocol):
    """A place for immutable objects. There is no overwrite, no delete and no lock."""

    @property
    def url(self) -> str: ...

    def get(self, path: str) -> bytes:
        """The object's bytes. Raises NotFoundError where there is none, OutsideError where the store fails."""

    def create(self, path: str, data: bytes) -> bool:
        """Puts the object if there is none at `path`, atomically; False where there is one already."""

    def list(self, prefix: str) -> list[str]:
        """All paths below the folder `prefix`, in no particular order."""

    def folders(self, prefix: str) -> Sequence[str]:
        """The names of the folders directly below the folder `prefix`, sorted."""


class Clock(Protocol):
    def now(self) -> datetime:
        """The present in UTC, with its time zone."""

    def monotonic(self) -> float:
        """Seconds that never run backwards, for durations."""

    def sleep(self, seconds: float) -> None: ...


class Console(Protocol):
    """Where a command tells a person what it does; never stdout, which belongs to the result."""

    def say(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...

    def working(self, what: str) -> AbstractContextManager[None]:
        """Says `what` at once, then now and then how long it has been going on, until the block ends."""


class DataFiles(Protocol):
    """The team's data, wherever they are."""

    def digests(self, source: str, root: Path) -> Mapping[str, str]:
        """Each file's path (relative to `root`, or its URL) and SHA-256. Raises DataGateError where there is none."""

    def read(self, source: str, root: Path) -> DataFrame:
        """All files as one frame, in the order of their paths. Raises DataGateError naming the file and the reason.

        `frame.attrs["files"]`, where it is there, lists [file, rows, whether row i is line i + 2 of the file].
        """


@dataclass(frozen=True, kw_only=True)
class BatchRows:
    """Some rows of one file: `frame` [rows] as training would read them, `rows` their numbers in the file from 1 on.

    `table` holds the same rows as they are to be written, in the adapter's own form. `unreadable` are rows of this
    part of the file that are not in the frame: their numbers, and what is wrong with each.
    """

    file: str
    rows: NDArray[Any]
    frame: DataFrame
    table: Any
    unreadable: Sequence[tuple[int, str]]


class BatchOutput(Protocol):
    """Two files that appear whole or not at all: the rows that were scored, and those that were set aside."""

    def scored(self, rows: BatchRows, kept: NDArray[Any], answers: Mapping[str, NDArray[Any]]) -> None:
        """The rows at the positions `kept`, and beside each of them its entry of every array of `answers`."""

    def rejected(self, file: str, rows: Sequence[tuple[int, str]]) -> None:
        """Row numbers and reasons."""


class BatchFiles(Protocol):
    """Tables on this machine that may be larger than its memory."""

    def read(self, source: str, root: Path, kinds: Mapping[str, ColumnKind]) -> Iterator[BatchRows]:
        """The rows of all files in the order of their paths, in parts of bounded size; of an empty table, one of none.

        A value of a column that `kinds` says is a number, but is not, makes its row unreadable. Raises DataGateError
        naming the file that is missing or cannot be read.
        """

    def write(self, scored: Path, rejected: Path) -> AbstractContextManager[BatchOutput]:
        """Puts both files into place when the block ends, and nothing where it raises or the process is killed."""


class UserCode(Protocol):
    """The team's own Python, from the model's folder."""

    def digests(self, root: Path) -> Mapping[str, str]:
        """Each source file that training may import, relative to `root`, and its SHA-256."""

    def imports(self, root: Path) -> frozenset[str]:
        """The top-level modules that those files import, but for the folder's own and the standard library's."""

    def session(self, root: Path) -> AbstractContextManager[None]:
        """Until the block ends the folder's modules can be imported; then they are forgotten. May be nested."""

    def guarded(self, root: Path, doing: str) -> AbstractContextManager[None]:
        """Around the team's code: it prints to stderr, and raises ConfigurationErrors with its own file and line."""

    def load(self, root: Path, entrypoint: str) -> Callable[..., Any]:
        """`module:function`, guarded. Raises ConfigurationError naming file and line where it cannot be imported."""


class Installation(Protocol):
    """The interpreter, the platform and the packages that are installed."""

    def environment(self, imports: Collection[str]) -> Mapping[str, str]:
        """Their versions, as far as code that imports these modules, and the toolkit's training, can depend on them."""


class Exporter(Protocol):
    """Turns a fitted scikit-learn estimator into an ONNX graph."""

    def export(self, estimator: Any, signature: Signature) -> bytes:
        """The same bytes for the same estimator. Raises ParityError with the reason and what to use instead."""


class ModelRuntime(Protocol):
    """Runs ONNX graphs."""

    def load(self, onnx: bytes, signature: Signature) -> LoadedModel:
        """Raises ValueError with the runtime's reason where the graph does not load or does not fit the signature."""


class LoadedModel(Protocol):
    def predict(self, columns: Mapping[str, NDArray[Any]]) -> Predictions:
        """Answers rows given as one 1-D array a column: float64 for a number, object (str) for a text."""


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """A proposal to merge `branch` into `base`; `head` is the commit it shows now."""

    number: int
    title: str
    body: str
    branch: str
    base: str
    head: str
    author: str
    state: Literal["open", "merged", "closed"]
    url: str
    merge_commit: str = ""


class Forge(Protocol):
    """Where people propose, review and merge changes: GitHub, or plain Git on this machine."""

    def propose(self, *, branch: str, base: str, title: str, body: str) -> PullRequest:
        """Opens a pull request for the branch, or brings the open one up to date."""

    def open_pull_request(self, branch: str) -> PullRequest | None: ...

    def reviews(self, number: int) -> Sequence[Review]:
        """In the order in which they were given."""

    def last_pusher(self, number: int) -> str: ...

    def members(self, team: str) -> frozenset[str]:
        """Who belongs to `@organisation/team`; empty where the team is not known."""

    def merge(self, number: int, *, head: str, message: str) -> str:
        """The merge commit, also when it is merged already.

        Raises ApprovalError where the branch shows another commit than `head` by now.
        """

    def close(self, number: int, *, comment: str) -> None: ...


class Repository(Protocol):
    """The team's Git repository."""

    @property
    def root(self) -> Path: ...

    @property
    def main(self) -> str:
        """The branch that says what should be; HEAD where it is detached (as in CI) or there is no such branch."""

    def commit(self, ref: str = "HEAD") -> str | None:
        """The commit's full hash, or None where the ref does not exist."""

    def read(self, path: str, *, ref: str) -> bytes | None:
        """The file as committed at `ref`; None where there is none. `path` is relative to the root."""

    def merge_base(self, one: str, other: str) -> str | None:
        """The newest commit that both rest on; None where they have none in common."""

    def commit_files(
        self,
        files: Mapping[str, bytes],
        *,
        branch: str,
        onto: str,
        message: str,
        author: str = "",
        replace: bool = False,
    ) -> str:
        """Commits the files onto commit `onto` and moves `branch` there, made new where there is none.

        The work tree follows if it shows that branch. Raises OutsideError where the branch shows another commit than
        `onto` (unless it is to be replaced), ConfigurationError where the files have changes that are not committed.
        """


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One running scoring service."""

    release: str
    url: str
    healthy: bool


class Target(Protocol):
    """Where an environment's scoring services run. Everything is safe to repeat after a kill."""

    def exclusive(self, environment: str, model: str) -> AbstractContextManager[None]:
        """Keeps a second reconcile of the same environment and model away; raises OutsideError where one is at work."""

    def instances(self, environment: str, model: str) -> Sequence[Instance]: ...

    def start(self, environment: str, release: Release, files: Mapping[str, bytes]) -> Instance:
        """Starts the release's service, or finds it running, and returns when it is ready; it gets no traffic yet.

        Raises VerificationError with the service's last words where it does not become ready.
        """

    def stop(self, environment: str, model: str, release: str) -> None:
        """Lets requests in flight finish, then ends the service; nothing to do where there is none."""

    def route(self, environment: str, model: str, shares: Mapping[str, int]) -> None:
        """Divides the environment's traffic by release id in whole per cent; returns when the division is in force."""

    def shares(self, environment: str, model: str) -> Mapping[str, int]:
        """The division in force; empty where nothing is routed."""

    def url(self, environment: str, model: str) -> str:
        """The stable address at which the environment serves the model, whatever the release."""

    def recent_requests(self, environment: str, model: str, release: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """The latest records that the release was asked to score, newest last, from its prediction log."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a live service said to one request: `error` is empty where it answered well."""

    predictions: Predictions | None
    release: str
    milliseconds: float
    error: str = ""


PROBE = "mlops-probe-"
"""How the ids of our own requests begin, by which a prediction log tells them from those of users."""


class ScoringClient(Protocol):
    """Talks to a live scoring service as its users do."""

    def ready(self, url: str) -> bool: ...

    def metadata(self, url: str, model: str) -> Mapping[str, Any]:
        """The model's metadata in the Open Inference Protocol. Raises OutsideError where there is none."""

    def score(self, url: str, records: Sequence[Mapping[str, Any]], signature: Signature) -> Answer:
        """Sends the records to POST /score in one request; never raises for what the service does wrong."""
