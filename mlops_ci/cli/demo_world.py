"""What the demo acts on: a repository made from the template, its people, and its users' requests."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlops_ci.adapters import templates
from mlops_ci.adapters.environment import Environment
from mlops_ci.adapters.process_target import ProcessTarget
from mlops_ci.adapters.processes import run
from mlops_ci.adapters.scoring_client import HttpScoringClient
from mlops_ci.cli.context import Context
from mlops_ci.cli.output import error_outcome
from mlops_ci.core.signature import Column, ColumnKind, Signature
from mlops_ci.errors import MlopsError

MODEL = "flight-delay"
ADA = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "Ada"), ("EMAIL", "ada@localhost"))
}
DEMO_ENVIRONMENT = Environment(
    store="", actor="Ada", in_actions=False, step_summary=None, step_output=None, store_options={}
)
"""The demo is the same wherever it runs: no store, and no step summary, of the surroundings is used."""

LOGISTIC = "params:\n    learner: logistic"
BOOSTING = """params:
    learner: boosting                # boosting | logistic; the other params are the learner's own settings
    learning_rate: 0.1
    max_iter: 150
    max_depth: 4
    l2_regularization: 10.0"""
IGNORING = 'NUMBERS = make_column_selector("^(?!origin_delay$)", dtype_include="number")'
NOT_IGNORING = 'NUMBERS = make_column_selector(dtype_include="number")'
AIRLINES = {"UA": "United", "B6": "JetBlue", "DL": "Delta", "AA": "American"}
AUGUST = "2013-08-01"
LIVE_REQUESTS = 40
LIVE_ROWS = 20
REPOSITORY = "repository"


class Unexpected(Exception):
    """A step did not end as it should have; `result` is what the command answered."""

    def __init__(self, what: str, result: Mapping[str, Any]) -> None:
        super().__init__(what)
        self.result = dict(result)


class DemoWorld:
    """One repository with its store, its services and its people: Ada writes models, Grace reviews promotions."""

    def __init__(self, folder: Path, context: Context) -> None:
        self.folder = folder
        self.repository = folder / REPOSITORY
        self._console = context.console
        self._times: dict[str, str] = {}
        self._asked = 0

    # The toolkit: its own commands, in this process.

    def run(self, *arguments: str, expect: int) -> dict[str, Any]:
        """What the command answers with `--json`. Raises Unexpected where it ends with another exit code."""
        from mlops_ci.cli.main import build_parser, execute

        self._console.say(f"$ mlops-ci {shlex.join(arguments)}")
        parsed = build_parser().parse_args([*arguments, "-C", str(self.repository)])
        try:
            outcome = execute(parsed, DEMO_ENVIRONMENT, self._console)
        except MlopsError as error:
            outcome = error_outcome(error)
        value = dict(outcome.value)
        if outcome.code != expect:
            raise Unexpected(
                f"mlops-ci {arguments[0]} ended with {outcome.code} instead of {expect}: {_said(value)}", value
            )
        return value

    def release(self) -> dict[str, Any]:
        released = self.run("release", expect=0)
        self.require(released["verified"] and released["pull_request"], "the release should be verified", released)
        return released

    def promote(self, released: Mapping[str, Any], *, reviewer: str, expect: int = 0) -> dict[str, Any]:
        """Asks once without an approval, which has to be refused, then has it approved and asks again."""
        self.run("promote", "--to", "production", "--version", str(released["version"]), expect=14)
        self.run("approve", str(released["pull_request"]), "--reviewer", reviewer, expect=0)
        return self.run("promote", "--to", "production", "--version", str(released["version"]), expect=expect)

    def release_and_promote(self, *, reviewer: str) -> dict[str, Any]:
        released = self.release()
        promoted = self.promote(released, reviewer=reviewer)
        self.require(promoted["release"] == released["release"], "the release should serve production", promoted)
        return released

    def serving(self) -> str | None:
        """The release that production serves, by the log, by Git, and by what really answers."""
        found = self.run("status", expect=0)
        place = next(row for row in found["environments"] if row["environment"] == "production")
        self.require(place["settled"], "production should be settled", found)
        release: str | None = place["release"]
        return release

    def require(self, holds: bool, what: str, result: Mapping[str, Any]) -> None:
        if not holds:
            raise Unexpected(what, result)

    # The repository and its people.

    def start_repository(self) -> None:
        """The template, with the second half of the year still to come and a simple model to begin with."""
        template = templates.load("tabular-classification")
        templates.render(template, {}, self.repository)
        later = self.folder / "later"
        later.mkdir()
        for quarter in (3, 4):
            shutil.move(self.repository / "data" / _quarter(quarter), later)
        self.edit("mlops.yaml", "temp, wind_speed, precip, visib]", "temp, wind_speed, precip, visib, origin_delay]")
        self.edit("mlops.yaml", BOOSTING, LOGISTIC)
        self.edit("train.py", NOT_IGNORING, IGNORING)
        self._git("init", "-q", "-b", "main")
        # On one machine Git's configuration says who belongs to the team that the template's CODEOWNERS names.
        self._git("config", "--add", "mlops-ci.acme/ml-owners.member", "Grace")
        self.commit("A first model of late departures")

    def branch(self, name: str, why: str) -> None:
        self._console.say(f"[Ada] {why} (branch {name})")
        self._git("switch", "-q", "-c", name)

    def edit(self, path: str, before: str, after: str) -> None:
        file = self.repository / path
        text = file.read_text(encoding="utf-8")
        if text.count(before) != 1:
            raise Unexpected(f"{path} of the template has changed: {before!r} is there {text.count(before)} times", {})
        file.write_text(text.replace(before, after), encoding="utf-8")

    def commit(self, message: str) -> None:
        self._git("add", "-A")
        self._git("commit", "-q", "-m", message)

    def merge(self, branch: str) -> None:
        self._git("switch", "-q", "main")
        self._git("merge", "-q", "--no-ff", "-m", f"Merge {branch}", branch)

    def undo(self, branch: str) -> None:
        """Reverts the merge of the branch, as a team would."""
        merged = self._git("log", "--merges", "--format=%H", f"--grep=^Merge {branch}$", "-n", "1")
        self._git("revert", "--no-edit", "-m", "1", merged)

    def abandon(self, branch: str) -> None:
        self._git("switch", "-q", "main")
        self._git("branch", "-q", "-D", branch)

    def spoil_data(self) -> None:
        """The second quarter as a careless export might write it: an eighth weekday, -999 for unknown, lost answers."""
        import pandas as pd

        path = self.repository / "data" / _quarter(2)
        rows = pd.read_parquet(path)
        rows.loc[rows.index[:3], "day_of_week"] = 7
        rows.loc[rows.index[100:140], "temp"] = -999.0
        rows["late"] = rows["late"].astype("Int8").mask(rows.index % 1000 == 0)
        rows.to_parquet(path)

    def spell_airlines_in_full(self) -> None:
        """The third quarter, as if a new booking system had been sending the flights since August."""
        import pandas as pd

        path = self.later(3)
        rows = pd.read_parquet(path)
        spelled = rows["carrier"].replace(AIRLINES)
        rows["carrier"] = rows["carrier"].where(rows["time_hour"] < AUGUST, spelled)
        rows.to_parquet(path)
        self._console.say(
            f"[the world] Since August a new booking system writes {', '.join(AIRLINES.values())} in full"
        )

    def later(self, quarter: int) -> Path:
        return self.folder / "later" / _quarter(quarter)

    # The users of the service, and time.

    @property
    def production_url(self) -> str:
        return self._target.url("production", MODEL)

    def live_traffic(self) -> None:
        """Flights of the summer, asked for one small request after the other. Nobody sends the airport's delay."""
        import pandas as pd

        from mlops_ci.core.columns import records_from_columns
        from mlops_ci.pipeline.canonical import canonical_columns

        signature = self._signature()
        first, wanted = self._asked, LIVE_REQUESTS * LIVE_ROWS
        rows = pd.read_parquet(self.later(3)).iloc[first : first + wanted]
        records = records_from_columns(canonical_columns(rows.assign(origin_delay=float("nan")), signature.inputs))
        self._asked += wanted
        with HttpScoringClient(probe=False) as client:
            answers = [
                client.score(self.production_url, records[start : start + LIVE_ROWS], signature)
                for start in range(0, len(records), LIVE_ROWS)
            ]
        failed = [answer.error for answer in answers if answer.error]
        self.require(not failed, f"{len(failed)} live requests failed: {failed[:1]}", {})
        self._console.say(f"[users] {len(answers)} requests with {len(records)} flights of July, all answered")

    def remember(self, name: str) -> None:
        self._times[name] = datetime.now(UTC).isoformat()

    def remembered(self, name: str) -> str:
        return self._times[name]

    def copy_of_store_with_one_byte_changed(self) -> Path:
        copy = self.folder / "edited-store"
        shutil.copytree(self.repository / ".mlops" / "store", copy)
        event = copy / "events" / MODEL / "3.json"
        data = event.read_bytes()
        at = data.index(b'"actor":"') + len(b'"actor":"')
        event.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        return copy

    def audit(self) -> dict[str, Any]:
        """What `why` and `history` say at the end; empty where the story did not come so far."""
        try:
            why = self.run("why", "--environment", "production", expect=0)
            return {"why": why, "history": self.run("history", expect=0)["events"]}
        except Unexpected:
            return {}

    def stop(self) -> None:
        """Ends every service and the router of this demo; files stay."""
        self._target.shut_down()

    def _signature(self) -> Signature:
        """The columns that the service asks for, as its metadata tell any client."""
        with HttpScoringClient() as client:
            metadata = client.metadata(self.production_url, MODEL)
        kinds: dict[str, ColumnKind] = {"FP64": "number", "BYTES": "text"}
        inputs = tuple(Column(name=item["name"], kind=kinds[item["datatype"]]) for item in metadata["inputs"])
        return Signature(task="binary-classification", inputs=inputs, classes=(0, 1))

    @property
    def _target(self) -> ProcessTarget:
        return ProcessTarget(self.repository / ".mlops" / "run", console=self._console)

    def _git(self, *arguments: str) -> str:
        return run(["git", *arguments], cwd=self.repository, env=ADA).text


def _quarter(number: int) -> str:
    return f"flights-2013-q{number}.parquet"


def _said(value: Mapping[str, Any]) -> str:
    error = value.get("error")
    return f"{error['what']}" if error else str({key: value[key] for key in list(value)[:6]})
