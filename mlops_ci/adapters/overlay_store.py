"""A store that is read as ever, while all that is written goes into a folder: the outbox of a job without rights.

Another job, which runs no code of a pull request, looks at the folder and takes into the store what it can prove
(`pipeline.handover`). The folder has a store's layout, and holds nothing that the store has already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_ci.errors import NotFoundError

if TYPE_CHECKING:
    from mlops_ci.ports import ObjectStore


class OverlayStore:
    """An `ObjectStore`: what `outbox` has comes first, then what `beneath` has, which is only read; None: nothing."""

    def __init__(self, outbox: ObjectStore, beneath: ObjectStore | None) -> None:
        self._outbox = outbox
        self._beneath = beneath

    @property
    def url(self) -> str:
        return self._beneath.url if self._beneath else self._outbox.url

    def get(self, path: str) -> bytes:
        try:
            return self._outbox.get(path)
        except NotFoundError:
            if self._beneath is None:
                raise
        return self._beneath.get(path)

    def create(self, path: str, data: bytes) -> bool:
        if self._beneath is not None:
            try:
                self._beneath.get(path)
            except NotFoundError:
                pass
            else:
                return False
        return self._outbox.create(path, data)

    def list(self, prefix: str) -> list[str]:
        beneath = self._beneath.list(prefix) if self._beneath else []
        return list({*beneath, *self._outbox.list(prefix)})

    def folders(self, prefix: str) -> Sequence[str]:
        beneath = self._beneath.folders(prefix) if self._beneath else ()
        return sorted({*beneath, *self._outbox.folders(prefix)})
