"""What another job handed over, which may have run anybody's code: nothing of it is believed before it is proved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mlops_ci.core.signature import Signature


class HandedOver(Protocol):
    """A folder that another job filled: only plain files count, and none is read that is larger than was asked for."""

    def names(self, folder: str, most: int) -> Sequence[str]:
        """What is directly in the folder, but for hidden names, sorted; none where there is no such folder.

        Raises IntegrityError where the folder is a link or no folder, or holds more than `most`.
        """

    def read(self, path: str, most: int) -> bytes:
        """Raises NotFoundError, and IntegrityError for anything but a plain file of at most `most` bytes."""


class GraphCheck(Protocol):
    """Tries an ONNX graph that somebody made whom nobody trusts."""

    def problem(self, onnx: bytes, signature: Signature) -> str:
        """Why it must not be kept: what it holds, or that the runtime does not load it; empty where it may be."""
