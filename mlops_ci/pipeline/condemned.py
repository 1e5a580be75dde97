"""How `store gc` and the commands that write agree about an old object, with nothing but create-only puts.

An object that nothing names is condemned by one run of gc: a mark, `condemned/<path>`. A later run, when the mark is as
old as the limit, may remove it, but only after it has created `decided/<path>` saying so. A command that is about to
rely on an object first looks for a mark, and where there is one creates `decided/<path>` itself, saying that the object
is kept; then it looks whether the object is there. Who comes first decides. So an object goes only if no command has
relied on it since it was condemned; who relied on it before that has had all of the limit to name it in a record.

While it is decided that an object goes there is always a mark, too: then the decision is cleared first, the mark last.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from mlops_ci.core.layout import condemned_path, decided_path
from mlops_ci.errors import NotFoundError, OutsideError

if TYPE_CHECKING:
    from mlops_ci.ports import KeptStore, ObjectStore

_KEPT, _GOES = b"kept\n", b"goes "


def keep(store: ObjectStore, path: str) -> None:
    """Sees to it that gc does not remove the object from now on; whether it is there has to be seen after this.

    Raises OutsideError where it is being removed at this very moment.
    """
    while True:
        try:
            store.get(condemned_path(path))
        except NotFoundError:
            return
        if store.create(decided_path(path), _KEPT):
            return
        decision = decision_on(store, path)
        if decision == _KEPT:
            return
        if decision is not None:
            raise OutsideError(
                f"{path} is being removed by `mlops-ci store gc`", where=store.url,
                fix="run the command again; if that gc was killed, run `mlops-ci store gc --delete` an hour after it",
            )  # fmt: skip


def decision_on(store: ObjectStore, path: str) -> bytes | None:
    """What was decided about the object; None where nothing is."""
    try:
        return store.get(decided_path(path))
    except NotFoundError:
        return None


def is_kept(decision: bytes) -> bool:
    return decision == _KEPT


def condemn(store: KeptStore, path: str) -> None:
    store.create(condemned_path(path), b"")


def decide_to_remove(store: KeptStore, path: str) -> bool:
    """Whether the object may be removed now: nobody has kept it, and no other gc is removing it."""
    own = _GOES + secrets.token_hex(16).encode() + b"\n"
    # A put whose reply was lost is repeated by the library, and meets itself.
    return store.create(decided_path(path), own) or decision_on(store, path) == own


def pardon(store: KeptStore, path: str) -> None:
    """Clears the mark of an object that stays, unless another gc has decided that it goes."""
    store.create(decided_path(path), _KEPT)
    if decision_on(store, path) == _KEPT:
        store.delete(condemned_path(path))
        store.delete(decided_path(path))


def settle(store: KeptStore, path: str) -> None:
    """Clears what was left of an object that this gc decided about, whether it is removed or stays after all."""
    store.delete(decided_path(path))
    store.delete(condemned_path(path))
