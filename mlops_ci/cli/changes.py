"""How a change of what serves is told."""

from __future__ import annotations

from typing import Any

from mlops_ci.cli.command import Outcome
from mlops_ci.errors import RolloutAborted
from mlops_ci.pipeline.change import Change


def changed(change: Change, **more: Any) -> Outcome:
    """The change as the outcome of a command; `more` are further fields of its JSON."""
    now = f"release {change.release[:12]}" if change.release else "nothing"
    lines = [
        f"{change.model} in {change.environment}: {change.outcome}; serves {now}"
        + (f" at {change.url}" if change.url else "")
    ]
    lines += [
        (f"  {step.share:>3} %: " if step.share else f"  {step.stage}: ")
        + step.outcome
        + (f" until {step.until[:19]}Z: release {(change.comparing or '')[:12]}" if step.until else "")
        + "".join(f"\n         {reason}" for reason in step.reasons)
        for step in change.steps
    ]
    lines += [f"  because: {reason}" for reason in change.reasons]
    if change.revert is not None:
        lines.append(f"  Git names what is on hold until pull request {change.revert} is merged")
    code = RolloutAborted.exit_code if change.outcome == "aborted" else 0
    return Outcome(value={**change.to_json(), **more}, text="\n".join(lines), code=code)
