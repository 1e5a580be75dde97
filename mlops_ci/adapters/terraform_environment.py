"""What a root module was told to serve, and the one way to tell it something else.

Every change is one apply of a plan that was looked at, made from the very state that the change was thought out for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from mlops_ci.adapters.terraform_errors import AlreadyThere, StalePlan
from mlops_ci.adapters.terraform_module import SERVING, SavedPlan, TerraformModule
from mlops_ci.adapters.terraform_outputs import Outputs, outputs_of, unfinished
from mlops_ci.core.infrastructure_plan import changed_outputs, planned_changes, refused
from mlops_ci.core.serving_contract import Serving
from mlops_ci.errors import ConfigurationError, OutsideError, Problem

Keep = Callable[[Mapping[str, Any]], str]
ATTEMPTS = 3
ADOPT = "adopt"
"""The variable with which a module looks for what it has made, and takes it over where its state does not know it."""
SHOWN = 10


class TerraformEnvironment:
    """The environment of that name for one model, as it was when it was read first; `forget` has it read anew.

    `keep` puts a record into the store and gives its digest. `releases` are the ids of all releases of the model that
    the log knows. `may_change` is set by a command that has the environment to itself. `is_settled` says that nothing
    has to be done for what the state says to be true: an apply writes its known outputs first, so after one that was
    killed the state may say more.
    """

    def __init__(
        self, name: str, model: str, module: TerraformModule, *, keep: Keep, releases: Callable[[], frozenset[str]]
    ) -> None:
        self.module = module
        self.may_change = False
        self.is_settled = False
        self._name, self._model = name, model
        self._keep = keep
        self._releases = releases
        self._evidence: list[str] = []

    @property
    def serving(self) -> Serving:
        return self._known or Serving(environment=self._name, model=self._model)

    def taken_evidence(self) -> Sequence[str]:
        """The digests of what was kept since they were taken last."""
        taken, self._evidence = tuple(self._evidence), []
        return taken

    @cached_property
    def _values(self) -> Mapping[str, Any]:
        """What the state says; nothing before anything was applied."""
        return self.module.outputs()

    @cached_property
    def outputs(self) -> Outputs | None:
        """As of the state; None before the module was told what to serve. Raises ConfigurationError for wrong ones."""
        if self._known is None:
            return None
        try:
            return outputs_of(self._values, where=str(self.module.directory))
        except ConfigurationError:
            if not self.may_change or self.is_settled:
                raise
        self.bring(self._known)  # the module may have been mended since it was applied
        return outputs_of(self._values, where=str(self.module.directory))

    @property
    def _known(self) -> Serving | None:
        """What the module was told last."""
        value = self._values.get(SERVING)
        if value is None:
            return None
        where = str(self.module.directory)
        try:
            serving = Serving.from_json(value)
        except ValueError as error:
            raise ConfigurationError(
                f"output serving is not what a module is given: {error}", where=where,
                fix='write output "serving" { value = var.serving }',
            ) from error  # fmt: skip
        if (serving.environment, serving.model) != (self._name, self._model):
            raise ConfigurationError(
                f"its state is that of {serving.model} in {serving.environment}, not of {self._model} in {self._name}",
                where=where, fix="give each environment of each model a state of its own: another workspace, or key",
            )  # fmt: skip
        return serving

    @cached_property
    def unfinished(self) -> frozenset[str]:
        return unfinished(self.module.addresses(), self._releases(), self._known)

    def forget(self) -> None:
        for name in ("_values", "outputs", "unfinished"):
            self.__dict__.pop(name, None)

    def bring(self, wanted: Serving) -> Outputs:
        """Makes it so, by plans that were looked at, and returns what the module says then."""
        thought_of, certain = self._known, self.is_settled
        self.is_settled = False
        adopting: dict[str, bool] = {}
        for _ in range(ATTEMPTS):
            plan = self.module.plan(wanted.to_json(), **adopting)
            if plan is None:
                break
            try:
                self._require_unchanged(plan, thought_of)
                self._look_at(plan, thought_of, wanted, certain=certain)
                self.module.apply(plan)
                break
            except AlreadyThere:
                if adopting or not plan.declares(ADOPT):
                    raise
                adopting = {ADOPT: True}
            except StalePlan:  # somebody changed something of the module just now; what is to serve may be the same
                continue
            finally:
                self.module.discard(plan.path)
                self.forget()
        else:
            raise OutsideError(
                "the state is changed by somebody else again and again", where=str(self.module.directory),
                fix="wait until nobody else is at work there, then try again",
            )  # fmt: skip
        self.is_settled = True
        return self._brought(wanted)

    def _brought(self, wanted: Serving) -> Outputs:
        outputs = self.outputs
        if outputs is None or outputs.serving != wanted:
            raise ConfigurationError(
                "output serving does not say what was given to the module",
                where=str(self.module.directory),
                fix='write output "serving" { value = var.serving }',
            )
        return outputs

    def _require_unchanged(self, plan: SavedPlan, thought_of: Serving | None) -> None:
        """Raises OutsideError where the plan starts from another state than the change was thought out for."""
        # What the plan calls its prior state has the outputs already as they will be.
        before = plan.content.get("output_changes", {}).get(SERVING, {}).get("before")
        if (None if before is None else Serving.from_json(before)) != thought_of:
            raise OutsideError(
                f"{self._name}: somebody else changed what serves there meanwhile",
                where=str(self.module.directory), fix="run the command again",
            )  # fmt: skip

    def _look_at(self, plan: SavedPlan, thought_of: Serving | None, wanted: Serving, *, certain: bool) -> None:
        """Keeps what is going to be done, without any value. Raises ConfigurationError where it must not be done."""
        where = str(self.module.directory)
        try:
            changes = planned_changes(plan.content)
        except ValueError as error:
            raise OutsideError(f"the plan cannot be understood: {error}", where=where) from error
        before = thought_of.shares if thought_of else {}
        idle = set(wanted.releases).difference(before, wanted.shares) if certain else ()
        record = {
            "kind": "terraform-plan", "environment": self._name, "model": self._model,
            "directory": self.module.settings.directory, "workspace": self.module.settings.workspace,
            "terraform": plan.content.get("terraform_version", ""), "plan": plan.digest, "serving": wanted.to_json(),
            "changes": [change.to_json() for change in changes], "outputs": changed_outputs(plan.content),
        }  # fmt: skip
        problems = [
            Problem(where=change.address, what=f"{' and '.join(change.actions)}{_because(change.reason)}")
            for change in refused(
                changes, ended=self._releases().difference(wanted.releases), idle=idle,
                may_destroy=self.module.settings.may_destroy,
            )
        ]  # fmt: skip
        if problems:
            raise ConfigurationError(
                f"{self._name}: the plan destroys or replaces {len(problems)} things that are not of a release "
                "that is ended, so nothing was done",
                where=where, problems=problems[:SHOWN],
                fix="change the module so that it does not; or name their addresses in "
                f"environments.{self._name}.terraform.may_destroy",
            )  # fmt: skip
        self._evidence.append(self._keep(record))


def _because(reason: str) -> str:
    return f" ({reason.replace('_', ' ')})" if reason else ""
