"""Takes into the store what an untrusted job handed over, as far as it can be proved: candidates, and their looks.

The job ran the code of a pull request, which could write anything into its outbox. So nothing is taken because it is
there: for each model that this job was asked about, what its lock names, and nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from mlops_ci.config.types import ModelConfig
from mlops_ci.core import strict_json
from mlops_ci.core.layout import is_digest, look_path
from mlops_ci.core.lock import Lock
from mlops_ci.core.naming import shown_name
from mlops_ci.core.records import Candidate
from mlops_ci.errors import ConfigurationError, DataGateError, IntegrityError, MlopsError
from mlops_ci.pipeline.candidate_proof import RECORD, Checkout, Refused, prove
from mlops_ci.pipeline.evaluate import count_look, holdout_identity
from mlops_ci.pipeline.locking import compute_lock
from mlops_ci.pipeline.registry import Registry
from mlops_ci.ports import Clock, Console, DataFiles, Installation, UserCode
from mlops_ci.ports.handover import GraphCheck, HandedOver

FOLDERS = frozenset({"blobs", "candidates", "decided", "evaluations", "looks"})
"""What `ci` writes. Evaluations stay behind, as they are what the job says of its own model, and what nobody names."""
MOST_MODELS, MOST_CANDIDATES, MOST_LOOKS = 20_000, 10, 1_000
Look = tuple[str, str]
"""(holdout, lock)"""


@dataclass(frozen=True, kw_only=True)
class Admission:
    """What became of what was handed over: (model, lock) of each candidate that is new in the store, and (model, why)
    of what was refused, and of what was left as there was nothing to take.
    """

    admitted: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "admitted": [{"model": model, "lock": lock} for model, lock in self.admitted],
            "refused": [{"model": model, "reason": reason} for model, reason in self.refused],
            "left": [{"model": model, "reason": reason} for model, reason in self.left],
        }


@dataclass(frozen=True, kw_only=True)
class Admitting:
    """What is needed to prove candidates: the checkout's own files (never run), the store, and the graph's trial.

    `commit` is the one that is checked out; `has_champion` says whether something serves that a model is compared with.
    """

    data: DataFiles
    user_code: UserCode
    installed: Installation
    registry: Registry
    graphs: GraphCheck
    clock: Clock
    console: Console
    commit: str
    has_champion: Callable[[ModelConfig], bool]

    def admit(self, handed: HandedOver, models: Collection[str], config_of: Callable[[str], ModelConfig]) -> Admission:
        """Takes over what can be proved of these models, in the order of their names.

        May be repeated: what is in the store already stays. Raises IntegrityError where the folder holds what no job of
        a pull request hands over, before anything is taken, and OutsideError where the store fails.
        """
        foreign = sorted(set(handed.names("", len(FOLDERS) + 10)) - FOLDERS)
        if foreign:
            raise IntegrityError(
                f"{', '.join(map(shown_name, foreign))}: no job of a pull request hands that over, so nothing is taken",
                fix="look at the code of the pull request: it wrote there",
            )
        found, admission = handed.names("candidates", MOST_MODELS), Admission()
        looks = self._looks(handed, admission)
        for model in sorted({*found, *looks}):
            if model not in models:
                admission.refused.append((shown_name(model), "is no model that this job was asked about"))
                continue
            try:
                config = config_of(model)
            except ConfigurationError as error:
                admission.refused.append((model, f"its mlops.yaml cannot be used: {error.what}"))
                continue
            with self.console.working(f"proving what was trained of {model}"):
                self._model(config, handed, looks.get(model, []), admission)
        return admission

    def _model(self, config: ModelConfig, handed: HandedOver, looks: list[Look], admission: Admission) -> None:
        try:
            lock = compute_lock(config, self.data, self.user_code, self.installed, imports=())
        except (DataGateError, ConfigurationError) as error:
            admission.refused.append((config.model, f"the lock cannot be computed here: {error.where}: {error.what}"))
            return
        checkout = Checkout(config=config, lock=lock, commit=self.commit)
        without_graph = set()
        try:
            files = handed.names(f"candidates/{config.model}", MOST_CANDIDATES)
        except IntegrityError as error:
            admission.refused.append((config.model, error.what))
            return
        for file in files:
            name = file.removesuffix(".json")
            try:
                if not is_digest(name) or name == file:
                    raise Refused(f"there is no candidate {shown_name(file)}")
                if not self._candidate(name, checkout, handed, admission):
                    without_graph.add(name)
            except (Refused, IntegrityError) as error:
                admission.refused.append((config.model, f"lock {name[:12]}: {_said(error)}"))
        for look in looks:
            try:
                if look[1] not in without_graph:
                    self._look(look, checkout, admission)
            except Refused as error:
                admission.refused.append((config.model, f"a look by lock {look[1][:12]}: {error}"))

    def _candidate(self, name: str, checkout: Checkout, handed: HandedOver, admission: Admission) -> bool:
        """False where the candidate has no graph, so that nobody wants it."""
        model = checkout.config.model
        if self.registry.find_candidate(model, name) is not None:
            admission.left.append((model, f"lock {name[:12]} has a candidate already, which stays"))
            return True
        proved = prove(name, checkout, handed=handed, registry=self.registry, graphs=self.graphs)
        if proved is None:
            admission.left.append((model, "it could not be converted to ONNX, so there is nothing to keep"))
            return False
        for blob in proved.blobs:
            self.registry.put_blob(blob)
        kept = self.registry.save_candidate(proved.candidate)
        if kept == proved.candidate:
            admission.admitted.append((model, name))
        else:
            admission.left.append((model, f"lock {name[:12]} has got a candidate meanwhile, which stays"))
        return True

    def _looks(self, handed: HandedOver, admission: Admission) -> dict[str, list[Look]]:
        """The looks by the model that they name."""
        found: dict[str, list[Look]] = defaultdict(list)
        for holdout in handed.names("looks", MOST_LOOKS):
            for file in handed.names(f"looks/{holdout}", MOST_LOOKS) if is_digest(holdout) else [""]:
                lock = file.removesuffix(".json")
                try:
                    if not is_digest(lock):
                        raise ValueError("its name is none of a look")
                    record = strict_json.parse(handed.read(look_path(holdout, lock), RECORD))
                    if not isinstance(record, dict) or not isinstance(record.get("model"), str):
                        raise ValueError("it is no record of a look")
                    found[record["model"]].append((holdout, lock))
                except (ValueError, IntegrityError) as error:
                    admission.refused.append(("", f"looks/{shown_name(holdout)}/{shown_name(file)}: {_said(error)}"))
        return found

    def _look(self, look: Look, checkout: Checkout, admission: Admission) -> None:
        """Counts it anew: only that it was there is taken from the artifact, neither its number nor its time."""
        holdout, lock = look
        config = checkout.config
        candidate = self._kept(config.model, lock, checkout)
        if holdout != holdout_identity(config, checkout.lock):
            raise Refused("it is at another holdout than the checkout's")
        if candidate is None:
            raise Refused("no such candidate of the checkout is in the store")
        if not self.has_champion(config):
            admission.left.append((config.model, "nothing serves yet, so that the holdout has judged nobody"))
            return
        count_look(config, candidate, self.registry, self.clock.now())

    def _kept(self, model: str, lock: str, checkout: Checkout) -> Candidate | None:
        candidate = self.registry.find_candidate(model, lock)
        if candidate is None:
            return None
        said = Lock.from_json(self.registry.get_json(candidate.lock_record))
        return None if checkout.difference(said) else candidate


def _said(error: Exception) -> str:
    return error.what if isinstance(error, MlopsError) else str(error)
