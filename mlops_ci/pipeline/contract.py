"""Requests that are wrong on purpose: each has a documented status and an error object, and none is a 5xx."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlops_ci.core.signature import Signature
from mlops_ci.pipeline.checks import Check
from mlops_ci.ports import Reply, ScoringClient

JSON = {"content-type": "application/json"}
TOO_LARGE = 1 << 40
"""Bytes: announced, and never sent."""
SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A wrong request, and the status that is due; `field` and `row` have to be named in the answer."""

    what: str
    path: str
    status: int
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    announced: int | None = None
    row: int | None = None
    column: str = ""


def ask_contract(client: ScoringClient, url: str, *, model: str, signature: Signature) -> Check:
    """Makes each mistake that clients make, with values that are nobody's."""
    made = mistakes(model, signature)
    wrong = []
    for mistake in made:
        reply = client.ask(url, mistake.path, body=mistake.body, headers=mistake.headers, announced=mistake.announced)
        problem = _problem(mistake, reply)
        if problem:
            wrong.append(f"{mistake.what}: {problem}")
    shown = "; ".join(wrong[:SHOWN]) + (f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else "")
    return Check(
        name="contract", ok=not wrong, detail=shown or f"{len(made)} wrong requests, each refused as it must be"
    )


def mistakes(model: str, signature: Signature) -> list[Mistake]:
    empty: dict[str, Any] = {column.name: None for column in signature.inputs}
    unknown = "no such column"
    while unknown in empty:
        unknown += "?"
    first = signature.inputs[0]
    mistyped = {**empty, first.name: "a text" if first.kind == "number" else 1.5}
    rows = f"/v2/models/{model}"
    return [
        Mistake(what="an unknown column", path="/score", status=422, row=0, column=unknown,
                body=_json([{**empty, unknown: 1}])),
        Mistake(what="a column that is left out", path="/score", status=422, row=0, column=first.name,
                body=_json([{name: None for name in empty if name != first.name}])),
        Mistake(what="a value of another type", path="/score", status=422, row=1, column=first.name,
                body=_json([empty, mistyped])),
        Mistake(what="a body that is no JSON", path="/score", status=400, body=b'[{"'),
        Mistake(what="another media type", path="/score", status=415, body=b"a,b",
                headers={"content-type": "text/csv"}),
        Mistake(what="a body that is too large", path="/score", status=413, announced=TOO_LARGE),
        Mistake(what="another method", path="/score", status=405),
        Mistake(what="tensors that break the protocol", path=f"{rows}/infer", status=400, body=_json({"inputs": 1})),
        Mistake(what="an unknown version", path=f"{rows}/versions/999999999", status=404),
        Mistake(what="an unknown model", path="/v2/models/no-such-model", status=404),
        Mistake(what="an unknown path", path="/no/such/path", status=404),
    ]  # fmt: skip


def _problem(mistake: Mistake, reply: Reply) -> str:
    if reply.status != mistake.status:
        return f"{reply.summary}, and {mistake.status} is due"
    try:
        answer = json.loads(reply.body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or not isinstance(answer.get("error"), str) or not answer["error"]:
        return f"{reply.summary}, and no error object"
    if mistake.row is None:
        return ""
    found = answer.get("problems")
    places = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    named = any((each.get("row"), each.get("field")) == (mistake.row, mistake.column) for each in places)
    return "" if named else f"status {reply.status} without the field and the row that are wrong"


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
