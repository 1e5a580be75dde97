"""The team's data and code, and batches of rows to be scored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    from mlops_ci.core.signature import ColumnKind


class DataFiles(Protocol):
    """The team's data, wherever they are."""

    def digests(self, source: str, root: Path) -> Mapping[str, str]:
        """Each file's path (relative to `root`, or its URL) and SHA-256. Raises DataGateError where there is none."""

    def read(self, source: str, root: Path, *, texts: Collection[str] = ()) -> DataFrame:
        """All files as one frame, in the order of their paths. Raises DataGateError naming the file and the reason.

        The columns `texts` of a CSV file are as written there, also where they look like numbers.
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

    def digests(self, root: Path, shared: Sequence[str] = ()) -> Mapping[str, str]:
        """Each source file that training may import, relative to `root`, and its SHA-256; and those that it shares.

        Raises ConfigurationError where there is nothing that one of the `shared` patterns names.
        """

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

    def machine(self) -> Mapping[str, str]:
        """What may show in a training's last digits and is no part of its lock: processor, cores, BLAS kernels."""
