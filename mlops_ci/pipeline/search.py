"""Searches hyperparameters by cross-validation on the training rows. Each fit is by the team's own entry point."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlops_ci.config.search_types import SearchConfig
from mlops_ci.config.types import ModelConfig
from mlops_ci.core.folds import Fold, folds
from mlops_ci.core.metrics import oriented
from mlops_ci.core.search_space import Params, Range, grid, rungs, sample
from mlops_ci.core.verdicts import number
from mlops_ci.errors import ConfigurationError, Problem
from mlops_ci.pipeline.dataset import Dataset
from mlops_ci.pipeline.trial import Score, Setting, Trial, score_trial
from mlops_ci.ports import Clock, Console, Engine, UserCode

WHERE = "mlops.yaml train.search"
PROGRESS_LINES = 20
SHOWN_REASONS = 5


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a candidate did on the last rung that it reached; `scores` are by fold."""

    candidate: int
    params: Params
    rung: int
    share: float
    scores: Sequence[Score]

    @property
    def reason(self) -> str:
        return next((score.reason for score in self.scores if score.reason), "")

    @property
    def mean(self) -> float:
        """NaN where any fold failed: a mean of other folds than the rest have would compare nothing."""
        return float(np.mean([score.value for score in self.scores]))

    @property
    def spread(self) -> float:
        return float(np.std([score.value for score in self.scores]))


Run = Callable[[Sequence[Trial]], Iterator[tuple[int, Score]]]


def search(
    config: ModelConfig,
    chosen: SearchConfig,
    rows: Dataset,
    *,
    user_code: UserCode,
    engine: Engine,
    console: Console,
    clock: Clock,
) -> dict[str, Any]:
    """What was tried and how it did, best first: the record that the store keeps and the report reads.

    The same rows, code and seed give the same answer, whatever the engine. A candidate that fails is on the record
    with the reason. Raises ConfigurationError where the rows do not allow such folds, or where all candidates fail.
    """
    started = clock.monotonic()
    made = _folds(config, chosen, rows)
    candidates = _candidates(chosen, config.train.seed)
    # The team's other columns are not needed to fit, and need not travel.
    slim = replace(rows, frame=rows.frame.iloc[:, :0])
    setting = Setting(config=config, search=chosen, rows=slim, folds=made, user_code=user_code)
    fewest = min(len(fit) for fit, _ in made)
    plan = [(len(candidates), 1.0)]
    if chosen.method == "halving" and chosen.factor:
        plan = rungs(len(candidates), chosen.factor, fewest)
    doing = f"searching {len(candidates)} candidates by {chosen.metric} over {len(made)} folds ({chosen.cv.strategy}), "
    doing += f"{chosen.method}, on {engine.name}"
    with console.working(doing), engine.started(score_trial, setting, root=config.root) as run:
        standings = _climb(plan, candidates, setting, run, console)
    best = standings[0]
    if not np.isfinite(best.mean):
        raise _all_failed(standings)
    failed = sum(1 for standing in standings if standing.reason)
    if failed:
        console.warn(f"{failed} of {len(standings)} candidates failed; the first: {_first_reason(standings)}")
    console.say(f"best of {len(standings)}: {chosen.metric} {best.mean:.4g} with {_shown(best.params)}")
    return {
        "method": chosen.method,
        "metric": chosen.metric,
        "cv": {"folds": len(made), "strategy": chosen.cv.strategy},
        "candidates": len(standings),
        "failed": failed,
        "best_params": best.params,
        "results": [_row(standing, rank + 1) for rank, standing in enumerate(standings)],
        "seconds": round(clock.monotonic() - started, 3),
    }


def _candidates(chosen: SearchConfig, seed: int) -> list[Params]:
    if chosen.method == "grid" or chosen.candidates is None:
        return grid({name: values for name, values in chosen.space.items() if not isinstance(values, Range)})
    return sample(chosen.space, chosen.candidates, seed)


def _folds(config: ModelConfig, chosen: SearchConfig, rows: Dataset) -> list[Fold]:
    """Raises ConfigurationError where the rows do not allow such folds, or would hide a class from a fit."""
    where, cv = f"{WHERE}.cv", chosen.cv
    try:
        made = folds(
            cv.strategy,
            len(rows),
            count=cv.folds,
            seed=config.train.seed,
            target=rows.target if rows.classes else None,
            groups=rows.groups,
            times=rows.times,
        )
    except ValueError as error:
        raise ConfigurationError(str(error), where=where, fix="ask for fewer folds, or another strategy") from error
    for place, (fit_on, _) in enumerate(made):
        unseen = len(set(rows.target.tolist()) - set(rows.target[fit_on].tolist())) if rows.classes else 0
        if unseen:
            what = f"in fold {place + 1} of {len(made)} ({cv.strategy}), {unseen} classes have no row to fit on"
            raise ConfigurationError(what, where=where, fix="ask for fewer folds, or another strategy")
    return made


def _climb(
    plan: Sequence[tuple[int, float]], candidates: Sequence[Params], setting: Setting, run: Run, console: Console
) -> list[Standing]:
    """Every candidate with the last rung that it reached, best first."""
    alive = list(range(len(candidates)))
    reached: dict[int, Standing] = {}
    for rung, (count, share) in enumerate(plan):
        alive = alive[:count]
        if len(plan) > 1:
            console.say(f"rung {rung + 1} of {len(plan)}: {len(alive)} candidates on {share:.0%} of the rows")
        for standing in _rung(rung, share, [(place, candidates[place]) for place in alive], setting, run, console):
            reached[standing.candidate] = standing
        ranked = _ranked([reached[place] for place in alive], setting.search.metric)
        alive = [standing.candidate for standing in ranked if not standing.reason]
    return _ranked(list(reached.values()), setting.search.metric)


def _rung(
    rung: int,
    share: float,
    entrants: Sequence[tuple[int, Params]],
    setting: Setting,
    run: Run,
    console: Console,
) -> Iterator[Standing]:
    """The standing of each entrant as soon as all of its folds are scored."""
    trials = [
        Trial(candidate=candidate, params=params, fold=fold, share=share)
        for candidate, params in entrants
        for fold in range(len(setting.folds))
    ]
    scores: dict[int, dict[int, Score]] = defaultdict(dict)
    done: list[Standing] = []
    for place, score in run(trials):
        trial = trials[place]
        found = scores[trial.candidate]
        found[trial.fold] = score
        if len(found) < len(setting.folds):
            continue
        in_order = tuple(found[fold] for fold in sorted(found))
        done.append(Standing(candidate=trial.candidate, params=trial.params, rung=rung, share=share, scores=in_order))
        if len(done) % max(1, len(entrants) // PROGRESS_LINES) == 0 or len(done) == len(entrants):
            console.say(f"{len(done)} of {len(entrants)} candidates{_best_so_far(done, setting.search.metric)}")
        yield done[-1]


def _ranked(standings: Sequence[Standing], metric: str) -> list[Standing]:
    """Those that failed come last, then those that fell on an earlier rung; of equals the earlier candidate leads."""

    def key(standing: Standing) -> tuple[bool, int, float, int]:
        failed = bool(standing.reason)
        score = 0.0 if failed else oriented(metric, standing.mean)
        return failed, -standing.rung, -score, standing.candidate

    return sorted(standings, key=key)


def _best_so_far(done: Sequence[Standing], metric: str) -> str:
    best = _ranked(done, metric)[0]
    return (
        ", all failed so far" if best.reason else f"; best so far: {metric} {best.mean:.4g} with {_shown(best.params)}"
    )


def _shown(params: Params) -> str:
    return ", ".join(f"{name}={value}" for name, value in params.items())


def _row(standing: Standing, rank: int) -> dict[str, Any]:
    return {
        "params": standing.params,
        "mean": number(standing.mean),
        "std": number(standing.spread),
        "rank": rank,
        "share": standing.share,
        "scores": [number(score.value) for score in standing.scores],
        "reason": standing.reason,
    }


def _first_reason(standings: Sequence[Standing]) -> str:
    failed = min((standing for standing in standings if standing.reason), key=lambda standing: standing.candidate)
    return f"{_shown(failed.params)}: {failed.reason}"


def _all_failed(standings: Sequence[Standing]) -> ConfigurationError:
    reasons: dict[str, str] = {}
    for standing in sorted(standings, key=lambda standing: standing.candidate):
        reasons.setdefault(standing.reason, _shown(standing.params))
    problems = [Problem(where=params, what=reason) for reason, params in list(reasons.items())[:SHOWN_REASONS]]
    return ConfigurationError(
        f"all {len(standings)} candidates failed",
        where=WHERE,
        fix="correct the code, or search parameters and values that it takes",
        problems=problems,
    )
