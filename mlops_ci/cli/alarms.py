"""`monitor --issue`: one issue on the forge for each model and environment, for as long as there is an alarm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ci.cli.forges import run_url_of
from mlops_ci.errors import ConfigurationError
from mlops_ci.pipeline.markdown import escaped

if TYPE_CHECKING:
    from mlops_ci.cli.context import Context
    from mlops_ci.core.records import Release
    from mlops_ci.pipeline.monitor import MonitorResult
    from mlops_ci.ports import Publisher

LABEL = "mlops-ci"
_SHOWN = 50


def publisher_for_issues(context: Context) -> Publisher:
    """Raises ConfigurationError where there is no forge to have an issue on."""
    publisher = context.publisher
    if publisher is None:
        raise ConfigurationError("--issue wants a forge, and it is plain Git here", fix="leave out --issue")
    return publisher


def tell_alarm(context: Context, release: Release, environment: str | None, result: MonitorResult) -> str | None:
    """The issue's address while there is an alarm. One that is open is closed once newer data could be judged and gave
    none; where nothing could be judged it stays as it is.
    """
    publisher = publisher_for_issues(context)
    where = environment or "its data"
    key = f"monitor/{release.model}/{environment or ''}"
    if result.alarm:
        title = f"{release.model}: what it sees in {where} is not what it was trained on"
        return publisher.issue(key=key, title=title, body=_body(context, release, result), labels=[LABEL])
    if any(window.judged for window in result.windows):
        publisher.close_issue(key, comment=f"Closed by mlops-ci. {escaped(result.sentence())}")
    return None


def _body(context: Context, release: Release, result: MonitorResult) -> str:
    moved = sorted((one for one in result.features if one.alarm), key=lambda one: one.p_value)
    rows = [
        f"| {escaped(one.name)} | {one.test} | {one.statistic:.3f} | {one.p_value:.2g} "
        f"| {one.missing_before:.1%} | {one.missing_now:.1%} |"
        for one in moved[:_SHOWN]
    ]
    table = [
        "| column | test | change (0 to 1) | p | missing before | missing now |",
        "|---|---|---|---|---|---|",
        *rows,
    ]
    drifted = [f"{window.start} ({window.rows:,} rows)" for window in result.windows if window.drifted and window.start]
    lines = [
        f"**{escaped(result.sentence())}**",
        f"Compared with the profile of version {release.version} (`{release.id[:12]}`)."
        + (f" Windows in which something moved: {', '.join(drifted)}." if drifted else ""),
        "\n".join(table) if rows else "",
        f"and {len(moved) - _SHOWN} more" if len(moved) > _SHOWN else "",
        *(f"- {escaped(note)}" for note in result.notes),
        f"`mlops-ci retrain {release.model}` proposes a model that is trained on newer data. This issue is kept up to "
        "date, and is closed when the alarm is over.",
        f"[The run that looked last]({run_url_of(context)})" if run_url_of(context) else "",
    ]
    return "\n\n".join(line for line in lines if line)
