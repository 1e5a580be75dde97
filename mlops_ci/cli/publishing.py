"""`release`: from a judged candidate to a verified release in the first environment, and a proposed promotion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlops_ci.cli.command import Outcome
from mlops_ci.cli.context import Context
from mlops_ci.cli.delivery import site_of
from mlops_ci.cli.judging import ModelRun
from mlops_ci.cli.packaging import packaging_of
from mlops_ci.cli.telling import tell_deployment
from mlops_ci.cli.verifying import check_lines
from mlops_ci.config.types import ModelConfig
from mlops_ci.core.records import Release
from mlops_ci.errors import ApprovalError, ConfigurationError, ModelGateBlocked
from mlops_ci.pipeline.change import Change
from mlops_ci.pipeline.desired_state import read_desired
from mlops_ci.pipeline.evaluate import Evaluation
from mlops_ci.pipeline.golden import choose_golden
from mlops_ci.pipeline.proposal_text import last_verification
from mlops_ci.pipeline.proposals import declined, open_promotion
from mlops_ci.pipeline.release import Registration, deploy, package_again, register, released
from mlops_ci.pipeline.served_card import served_card
from mlops_ci.pipeline.site import Site
from mlops_ci.pipeline.train import training_profile
from mlops_ci.ports import PullRequest


def release_model(context: Context, config: ModelConfig, *, signing_key: str | None = None) -> Outcome:
    """Judges the candidate of what is committed; releases it where it ships, and says why where it does not."""
    require_committed(context, config)
    newer = moved_on(context, config)
    if newer:
        return _superseded(config, newer)
    context.log.require_signer(config.model)
    packaging = packaging_of(context, config, signing_key)
    sites = [site_of(context, config, environment.name) for environment in config.environments]
    run = ModelRun(context, config, main=context.shared_repository)
    existing = released(context.log, context.registry, config.model, run.trained.lock)
    recording: dict[str, Any] = {"registry": context.registry, "log": context.log, "actor": context.actor}
    if existing is not None and _is_on_its_way(existing, sites, run):
        return _deliver(context, sites, package_again(existing, packaging, **recording))
    if packaging is not None and (existing is None or not packaging.satisfied_by(existing, context.registry)):
        packaging.require()  # before anybody waits for the judgement
        if packaging.signer is None:
            context.console.warn("no signing key is given, so the release's provenance will not be signed")
    _ = run.exported
    evaluation = run.evaluated
    if not evaluation.ships:
        return _kept(config, evaluation)
    registration = Registration(
        candidate=run.candidate,
        commit=context.repository.commit() or "",
        verdict=evaluation.judgement.verdict,
        waived=evaluation.judgement.waived,
        golden=choose_golden(run.split[1].columns, run.native_answers),
        profile=context.registry.put_json(training_profile(config, run.parts.training)),
        evidence={
            "evaluation": evaluation.digest,
            "parity": context.registry.put_json(run.exported.parity.to_json()),
            **({"probes": run.candidate.probes} if run.candidate.probes else {}),
        },
        card=served_card(config, run.candidate, evaluation.value),
    )
    release = register(registration, packaging=packaging, **recording)
    return _deliver(context, sites, release)


def propose_next(site: Site | None, release: Release) -> tuple[PullRequest | None, str]:
    """The promotion to the next environment, if Git does not name it there yet; or why it is not proposed.

    That is no error: main is released again for many reasons, and none of them is that release.
    """
    if site is None:
        return None, ""
    state = site.state()
    if state and release.id in state.holds:
        return None, f"where it is on hold: {state.holds[release.id]}"
    refused = declined(site, release.id)
    if refused:
        return None, f"for which people closed pull request {refused.number} (mlops-ci promote proposes it again)"
    return open_promotion(site, release), ""


def require_on_main(context: Context) -> None:
    """Raises ConfigurationError unless what is checked out is main's: its head, or on a forge any commit that main has,
    since others may merge while a run waits for its turn.
    """
    repository, shared = context.repository, context.shared_repository
    head = repository.commit() or ""
    if not context.on_forge:
        if repository.commit(repository.main) != head:
            raise ConfigurationError(
                f"{repository.branch or 'HEAD'} is checked out, and releases are made from {repository.main}",
                fix=f"git switch {repository.main}",
            )
    elif shared.merge_base(head, shared.main) != head:
        raise ConfigurationError(
            f"commit {head[:12]} is checked out, which {shared.main} does not have: only what is merged is delivered",
            fix=f"check out {shared.main}, and push what is not on the forge yet",
        )


def moved_on(context: Context, config: ModelConfig) -> str:
    """A file by which main has another model by now than what is checked out; empty where there is none."""
    from mlops_ci.config.reach import reaches
    from mlops_ci.core.plan import touched

    head, shared = context.repository.commit() or "", context.shared_repository
    newest = shared.commit(shared.main)
    if newest is None or newest == head:
        return ""
    top = shared.from_top("")
    changed = [path.removeprefix(top) for path in shared.changed(head, newest) if path.startswith(top)]
    return touched(changed, reaches(context.directory)).get(config.model, "")


def require_committed(context: Context, config: ModelConfig) -> None:
    """Raises ConfigurationError unless the files that the lock is made of are those of the main branch's commit."""
    repository = context.repository
    require_on_main(context)
    code = [str(config.path.parent / path) for path in context.user_code.digests(config.root, config.shared)]
    data = [str(config.root / path) for path in context.data.digests(config.data.source, config.root)]
    key = [str(config.root / config.image.public_key)] if config.image and config.image.public_key else []
    dirty = repository.uncommitted([str(config.path), *key, *code, *(path for path in data if "://" not in path)])
    if dirty:
        raise ConfigurationError(
            f"{', '.join(dirty[:5])}: not committed, and only what is committed is released",
            fix="commit, or discard the changes",
        )


def _is_on_its_way(release: Release, sites: Sequence[Site], run: ModelRun) -> bool:
    """Whether a run before this one got so far that to judge the release anew could only leave it half way."""
    desired = read_desired(sites[0].repository, sites[0].name, sites[0].model)
    deployed = desired is not None and desired.release == release.id
    return deployed or (run.champion is not None and run.champion.id == release.id)


def _deliver(context: Context, sites: Sequence[Site], release: Release) -> Outcome:
    """Deploys to the first environment, verifies there, proposes the next. Each is done once, however often asked."""
    first = sites[0]
    change = deploy(first, release)
    if change.outcome == "proposed":
        return _waiting(context, first, release, change)
    tell_deployment(context, first, change)
    pull, refused = propose_next(sites[1] if len(sites) > 1 else None, release)
    verification = last_verification(context.registry, context.log, release, first.name)
    value = {
        "model": release.model,
        "version": release.version,
        "release": release.id,
        "image": release.image,
        "environment": first.name,
        "url": first.url,
        "verified": True,
        "verification": verification,
        "pull_request": pull.number if pull else None,
    }
    text = f"{release.model} version {release.version} ({release.id[:12]}) is verified in {first.name} at {first.url}"
    if release.image:
        text += f"\nimage {release.image}"
    if verification:
        text += "\n" + "\n".join(check_lines(verification))
    if pull:
        review = pull.url if context.on_forge else f"mlops-ci approve {pull.number} --reviewer NAME"
        text += f"\npull request {pull.number}: {pull.title}\n  {review}"
    if refused:
        text += f"\nnot proposed for {sites[1].name}, {refused}"
    return Outcome(value=value, text=text)


def _waiting(context: Context, site: Site, release: Release, change: Change) -> Outcome:
    """It is registered; that it serves has to be merged by people, whereupon `reconcile --since` goes on."""
    pull = context.forge.pull_request(change.proposed or 0)
    value = {
        "model": release.model,
        "version": release.version,
        "release": release.id,
        "image": release.image,
        "environment": site.name,
        "url": change.url,
        "verified": False,
        "pull_request": pull.number,
        "reasons": list(change.reasons),
    }
    text = f"{release.model} version {release.version} ({release.id[:12]}) is registered, and not in {site.name} yet: "
    text += f"{change.reasons[0]}\n{pull.title}\n  {pull.url}"
    return Outcome(value=value, text=text, code=ApprovalError.exit_code)


def _superseded(config: ModelConfig, path: str) -> Outcome:
    """Nothing is released, since a newer commit is going to be."""
    why = f"main has another {path} by now, and its newest commit is the one to be released"
    return Outcome(value=_nothing(config, [why]), text=f"{config.model}: nothing is released: {why}")


def _nothing(config: ModelConfig, reasons: Sequence[str]) -> dict[str, Any]:
    return {
        "model": config.model,
        "version": None,
        "release": None,
        "image": None,
        "environment": config.environments[0].name,
        "url": None,
        "verified": False,
        "pull_request": None,
        "verdict": None,
        "reasons": list(reasons),
    }


def _kept(config: ModelConfig, evaluation: Evaluation) -> Outcome:
    """Nothing is released: an ordinary outcome, unless something is wrong with the challenger."""
    judgement = evaluation.judgement
    value = _nothing(config, judgement.reasons) | {"verdict": judgement.verdict}
    text = f"{config.model}: {judgement.verdict}, so nothing is released and the champion stays"
    text += "".join(f"\n  {reason}" for reason in judgement.reasons)
    return Outcome(value=value, text=text, code=ModelGateBlocked.exit_code if judgement.blocked else 0)
