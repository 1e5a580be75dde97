"""What goes wrong with a root module, its state and its providers, each by its name, and nothing done in silence."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters import environment
from mlops_ci.adapters.terraform_module import TerraformModule
from mlops_ci.core.cluster_settings import TerraformSettings
from mlops_ci.core.serving_contract import Placed, Serving
from mlops_ci.errors import ConfigurationError, MlopsError, OutsideError
from mlops_ci.ports import RecentRequests, Target
from tests.delivery.world import MODEL, Line
from tests.terraform.world import TerraformWorld

ID = "a" * 64
NOTHING = Serving(environment="qa", model=MODEL).to_json()
ONE = Serving(
    environment="qa", model=MODEL, releases={ID: Placed(image="r/x@sha256:1", version=1, arguments=(), share=100)}
)
MODULE = """
terraform {{
  backend "local" {{}}
}}
variable "serving" {{
  type = any
}}
resource "terraform_data" "one" {{
  for_each         = var.serving.releases
  triggers_replace = [each.value.share]
  {resource}
}}
output "url" {{ value = "http://127.0.0.1:9/qa/tides" }}
output "releases" {{
  value = {{ for id, each in var.serving.releases : id => {{ url = "http://127.0.0.1:9/${{id}}" }} }}
}}
output "serving" {{ value = var.serving }}
{more}
"""


class Small:
    """A module without services: what it makes is nothing, and takes no time."""

    def __init__(self, world: TerraformWorld, *, resource: str = "", more: str = "") -> None:
        self.world = world
        self.folder = world.module("qa")
        self.write(resource=resource, more=more)
        self.settings = TerraformSettings(
            directory="../infra/qa", backend={"path": str(world.folder / "states" / "qa.tfstate")}
        )

    def write(self, *, resource: str = "", more: str = "") -> None:
        (self.folder / "main.tf").write_text(MODULE.format(resource=resource, more=more))

    def change(self, old: str, new: str) -> None:
        path = self.folder / "main.tf"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    @property
    def target(self) -> Any:
        self.world.settings = lambda _: self.settings  # type: ignore[method-assign]
        return self.world.target_of("qa")

    @property
    def module(self) -> TerraformModule:
        ours = self.world.folder / "ours"
        return TerraformModule(self.folder, ours, self.settings, name="qa")

    def terraform(self, *arguments: str) -> str:
        """What a person's own Terraform says, beside ours."""
        env = {**os.environ, "TF_DATA_DIR": str(self.world.folder / "persons")}
        done = subprocess.run(["terraform", *arguments], cwd=self.folder, env=env, check=True, capture_output=True)
        return done.stdout.decode()


def bring(target: Any, wanted: Serving) -> None:
    with target.exclusive("qa", MODEL):
        target._here.bring(wanted)


def refusal(target: Any, wanted: Serving = ONE) -> MlopsError:
    with pytest.raises(MlopsError) as refused:
        bring(target, wanted)
    return refused.value


def test_it_is_a_target_and_knows_nothing_of_what_was_never_applied(world: TerraformWorld) -> None:
    target: Target = world.target_of("qa")
    assert target.instances("qa", MODEL) == []
    assert target.shares("qa", MODEL) == {}
    assert target.traffic("qa", MODEL) == {}
    assert list(target.logged_requests("qa", MODEL)) == []
    assert target.recent_requests("qa", MODEL, ID, 5) == RecentRequests()
    assert target.evidence() == ()
    target.stop("qa", MODEL, ID)
    target.route("qa", MODEL, {})
    with pytest.raises(OutsideError, match="nothing was applied yet in qa"):
        target.url("qa", MODEL)
    with pytest.raises(OutsideError, match="does not run in qa"):
        target.route("qa", MODEL, {ID: 100})
    with pytest.raises(ConfigurationError, match="has no image"):
        target.start("qa", RealWithoutImage.release(world), {})
    with target.exclusive("qa", MODEL), pytest.raises(OutsideError, match="another command is at work on tides in qa"):
        world.target_of("qa").exclusive("qa", MODEL).__enter__()


class RealWithoutImage:
    @staticmethod
    def release(world: TerraformWorld) -> Any:
        world.packaging = None
        try:
            return super(TerraformWorld, world).register(Line())
        finally:
            del world.packaging


def test_a_plan_that_destroys_what_it_should_not_is_refused(world: TerraformWorld) -> None:
    small = Small(world, more='resource "terraform_data" "balancer" { triggers_replace = ["a"] }')
    bring(small.target, ONE)
    small.change('["a"]', '["b"]')
    error = refusal(small.target, ONE.without(ID))
    assert isinstance(error, ConfigurationError)
    assert "destroys or replaces 2 things" in str(error)
    assert "terraform_data.balancer: delete and create (replace because cannot update)" in str(error)
    assert ID in str(small.terraform("show", "-json", str(world.folder / "states" / "qa.tfstate"))), "nothing was done"

    # Only what is below the id of a release that the log knows, and that is wanted no more, may go.
    small.settings = TerraformSettings(
        directory="../infra/qa", backend=small.settings.backend, may_destroy=("terraform_data.balancer",)
    )
    assert "destroys or replaces 1 thing" in str(refusal(small.target, ONE.without(ID)))
    target = small.target
    target._here._releases = lambda: frozenset({ID})
    bring(target, ONE.without(ID))
    assert target.shares("qa", MODEL) == {}
    (digest,) = target.evidence()
    assert target.evidence() == ()
    assert digest


def test_what_a_killed_apply_has_made_is_taken_over_by_a_module_that_can(world: TerraformWorld) -> None:
    """With a remote state Terraform writes down what it has made every 20 s; what came after the last time is lost."""
    there = 'test -n "$ADOPTED" || { echo ResourceAlreadyExists >&2; exit 1; }'
    resource = f'provisioner "local-exec" {{ command = {json.dumps(there)} }}'
    small = Small(world, resource=resource)
    error = refusal(small.target)
    assert (type(error).__mro__[1], error.exit_code) == (OutsideError, 20)
    assert "ResourceAlreadyExists" in str(error)

    adopting = resource.replace("command =", 'environment = { ADOPTED = var.adopt ? "x" : "" }\n    command =')
    small.write(resource=adopting)
    small.change("{ environment", "{\n    environment")
    small.change('exit 1; }" }', 'exit 1; }"\n  }')
    small.change('variable "serving"', 'variable "adopt" {\n  default = false\n}\nvariable "serving"')
    bring(small.target, ONE)
    assert small.target.shares("qa", MODEL) == {ID: 100}


def test_a_locked_state_says_who_holds_it(world: TerraformWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_ci.adapters.terraform_module.LOCK_SECONDS", 0)
    until = world.folder / "go"
    wait = (
        f'provisioner "local-exec" {{ command = "touch {until}.reached; until test -e {until}; do sleep 0.05; done" }}'
    )
    small = Small(world, resource=wait)
    path = f"-backend-config=path={small.settings.backend['path']}"
    small.terraform("init", "-input=false", path)
    env = {**os.environ, "TF_DATA_DIR": str(world.folder / "persons"), "TF_VAR_serving": json.dumps(ONE.to_json())}
    holder = subprocess.Popen(
        ["terraform", "apply", "-auto-approve", "-input=false"], cwd=small.folder, env=env,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        from tests.scoring.serving import wait_until

        wait_until(Path(f"{until}.reached").exists)
        error = refusal(small.target)
    finally:
        until.touch()
        holder.wait()
    assert isinstance(error, OutsideError)
    assert "the state is locked by " in str(error)
    assert "OperationTypeApply" in str(error)
    assert f"terraform -chdir={small.folder} force-unlock " in error.fix
    assert "TF_DATA_DIR=" in error.fix


def test_what_somebody_else_changed_meanwhile_is_not_undone(world: TerraformWorld) -> None:
    small = Small(world)
    bring(small.target, ONE)
    late = small.target
    with late.exclusive("qa", MODEL):
        assert late.shares("qa", MODEL) == {ID: 100}
        small.module.apply(small.module.plan(ONE.divided({}).to_json()) or pytest.fail("nothing to do"))
        with pytest.raises(OutsideError, match="somebody else changed what serves there meanwhile"):
            late._here.bring(ONE.without(ID))
    assert small.target.shares("qa", MODEL) == {}
    assert list(small.target._here.serving.releases) == [ID]


def test_a_stale_plan_is_made_anew_once(world: TerraformWorld) -> None:
    small = Small(world, more='resource "terraform_data" "other" { input = timestamp() }')
    target = small.target
    inner = target._here.module
    plans: list[str] = []
    original = inner.plan

    def plan(serving: Any) -> Any:
        made = original(serving)
        plans.append(made.digest)
        if len(plans) == 1:  # somebody else applies something of the module in between; what serves stays the same
            small.terraform("init", "-input=false", f"-backend-config=path={small.settings.backend['path']}")
            small.terraform(
                "apply", "-auto-approve", "-target=terraform_data.other", f"-var=serving={json.dumps(NOTHING)}"
            )
        return made

    inner.plan = plan
    bring(target, ONE)
    assert len(plans) == 2
    assert target.shares("qa", MODEL) == {ID: 100}


def test_a_provider_that_says_too_much_is_cut_and_repeats_no_secret(
    world: TerraformWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2hunter2")
    monkeypatch.setenv("MLOPS_SIGNING_PASSWORD", "not for terraform")
    lines = 'seq 1 25000; env | sort; echo "key $AWS_SECRET_ACCESS_KEY https://ada:pass@host/x"; exit 3'
    small = Small(world, resource=f'provisioner "local-exec" {{ command = {json.dumps(lines)} }}')
    error = refusal(small.target)
    assert isinstance(error, OutsideError)
    assert "terraform apply failed" in str(error)
    assert "local-exec provisioner error" in str(error)
    assert len(str(error)) < 4000
    assert f'terraform_data.one["{ID}"]' in str(error)

    short = 'env; echo "key $AWS_SECRET_ACCESS_KEY https://ada:pass@host/x"; exit 3'
    small.write(resource=f'provisioner "local-exec" {{ command = {json.dumps(short)} }}')
    said = str(refusal(small.target))
    assert "hunter2" not in said
    assert "ada:pass" not in said
    assert "not for terraform" not in said
    kept = [path for path in world.run_folder.rglob("*") if path.is_file() and path.suffix not in (".hcl", "")]
    assert not any(b"hunter2" in path.read_bytes() for path in kept)
    assert not (world.run_folder / "terraform" / "qa" / MODEL / "plan").exists()
    assert (world.run_folder / "terraform" / "qa" / MODEL).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("old", "new", "kind", "said"),
    [
        ('output "url"', 'output "address"', ConfigurationError, "the module has no output url"),
        ('variable "serving"', 'variable "other"', ConfigurationError, "No value for required variable"),
        ("  backend", "  bakend", ConfigurationError, "terraform init failed"),
        ("value = var.serving", 'value = "x"', ConfigurationError, "output serving"),
        ("value = var.serving", "value = merge(var.serving, { model = \"other\" })", ConfigurationError, "other in qa"),
        ('"http://127.0.0.1:9/qa/tides"', '"https://ada:hunter2@host"', ConfigurationError, "output url"),
        ('"http://127.0.0.1:9/qa/tides"', "12", ConfigurationError, "output url"),
        ("{ url = ", "{ address = ", ConfigurationError, "has to be an address"),
        ("id => {", "substr(id, 0, 12) => {", ConfigurationError, "output releases has nothing for release"),
        ("[each.value.share]", "[each.value.shares]", ConfigurationError, "terraform plan failed"),
        ('backend "local" {}', 'backend "http" { address = "http://127.0.0.1:9/x" }', OutsideError, "127.0.0.1:9"),
        ('  backend "local" {}\n', "", ConfigurationError, "the module has no backend"),
        ('backend "local" {}', "required_version = \">= 99\"", ConfigurationError, "terraform init failed"),
        ("{}\n}", "{}\n  required_providers {\n    n = { source = \"x/none\" }\n  }\n}", OutsideError, "init failed"),
    ],
)  # fmt: skip
def test_a_module_that_does_not_keep_the_contract(
    world: TerraformWorld, old: str, new: str, kind: type[MlopsError], said: str
) -> None:
    small = Small(world)
    if new.startswith(("backend", "required_version")) or not new:
        small.settings = TerraformSettings(directory="../infra/qa")
    small.change(old, new)
    error = refusal(small.target)
    assert type(error) is kind, error
    assert said in str(error)
    assert "hunter2" not in str(error)
    assert "╷" not in str(error)

    # Once it is mended the next command goes on, whatever the state says until then.
    small.write()
    small.settings = TerraformSettings(
        directory="../infra/qa", backend={"path": str(world.folder / "states" / "qa.tfstate")}
    )
    if "merge" in new or '"x"' in new:
        return  # what it says that it serves is not ours to undo
    bring(small.target, ONE)
    assert small.target.shares("qa", MODEL) == {ID: 100}


def test_what_is_given_and_not_declared_is_refused(world: TerraformWorld) -> None:
    small = Small(world)
    small.settings = TerraformSettings(directory="../infra/qa", backend=small.settings.backend, variables={"cpus": 2})
    assert "the module has no variable cpus" in str(refusal(small.target))
    small.settings = TerraformSettings(directory="../infra/nowhere")
    assert "there is no root module in ../infra/nowhere" in str(refusal(small.target))


def test_a_shadow_that_the_environment_cannot_keep_is_its_own_refusal(world: TerraformWorld) -> None:
    target = world.target_of("qa")
    release = world.register(Line())
    with target.exclusive("qa", MODEL):
        serving = target._here.serving.with_release(
            release.id, Placed(image=str(release.image), version=1, arguments=())
        )
        other = serving.with_release(ID, Placed(image="x", version=1, arguments=())).divided({ID: 100}, release.id)
        with pytest.raises(ConfigurationError, match="cannot mirror requests"):
            target._here.bring(other)


def test_a_state_that_could_not_be_written_stops_everything_until_it_is_made_good(world: TerraformWorld) -> None:
    small = Small(world)
    (small.folder / "errored.tfstate").touch()
    error = refusal(small.target)
    assert isinstance(error, OutsideError)
    assert " state push errored.tfstate" in error.fix


def test_an_earlier_terraform_that_is_still_at_work_is_waited_for(world: TerraformWorld) -> None:
    small = Small(world)
    bring(small.target, ONE)
    from mlops_ci.adapters.processes import identify

    own = identify(os.getpid())
    assert own is not None
    small.target._here.module._noted(own)
    assert f"terraform (process {os.getpid()}) of an earlier command is still at work" in str(refusal(small.target))


def test_what_was_prepared_is_not_prepared_again_until_something_changed(world: TerraformWorld) -> None:
    small = Small(world)
    small.settings = TerraformSettings(
        directory="../infra/qa", backend=small.settings.backend, may_destroy=("terraform_data.one", "module.m")
    )
    bring(small.target, ONE)
    data = world.run_folder / "terraform" / "qa" / MODEL / "data" / "terraform.tfstate"
    configured = data.stat().st_mtime_ns
    assert small.target.shares("qa", MODEL) == {ID: 100}
    assert data.stat().st_mtime_ns == configured
    (small.folder / "more.tf").write_text('module "m" {\n  source = "./m"\n}\n')
    (small.folder / "m").mkdir()
    (small.folder / "m" / "main.tf").write_text('resource "terraform_data" "x" {}\n')
    bring(small.target, ONE.divided({}))
    assert data.stat().st_mtime_ns != configured
    (small.folder / "m" / "main.tf").write_text('module "n" {\n  source = "./n"\n}\n')
    (small.folder / "m" / "n").mkdir()
    (small.folder / "m" / "n" / "main.tf").write_text("")
    bring(small.target, ONE)
    assert small.target.shares("qa", MODEL) == {ID: 100}


def test_only_terraform_gets_the_clouds_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "ARM_CLIENT_SECRET", "TF_VAR_password", "TF_TOKEN_host", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "x")
    for name in ("TF_LOG", "TF_CLI_ARGS_apply", "TF_DATA_DIR", "TF_WORKSPACE", "MLOPS_TOKEN", "PYPI_TOKEN"):
        monkeypatch.setenv(name, "x")
    given = environment.infrastructure_variables()
    assert {"AWS_SECRET_ACCESS_KEY", "ARM_CLIENT_SECRET", "TF_VAR_password", "TF_TOKEN_host", "HTTPS_PROXY"} <= set(
        given
    )
    assert not {"TF_LOG", "TF_CLI_ARGS_apply", "TF_DATA_DIR", "TF_WORKSPACE", "MLOPS_TOKEN", "PYPI_TOKEN"} & set(given)


def test_a_committed_lock_file_is_not_changed(world: TerraformWorld) -> None:
    small = Small(world)
    lock = small.folder / ".terraform.lock.hcl"
    lock.write_text("# pinned\n")
    bring(small.target, ONE)
    assert lock.read_text() == "# pinned\n"
    assert sorted(path.name for path in small.folder.iterdir()) == [".terraform.lock.hcl", "main.tf", "plane.py"]
