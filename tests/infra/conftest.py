"""What tests of infra/ share: the installed Terraform, a copy of infra/, and a stand-in for AWS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.account import Account, made_account
from tests.infra.azurerm.stand_in import Azure, azure_stand_in
from tests.infra.moto import Moto, moto_server
from tests.infra.terraform import Installation, copied, installed


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Terraform and its providers, or the reason why the test is skipped (in CI: why it fails)."""
    return installed(tmp_path_factory.mktemp("terraform"))


@pytest.fixture(scope="session")
def azure(terraform: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    """The same with what stands in for the AzureRM provider."""
    with azure_stand_in(terraform, tmp_path_factory.mktemp("azurerm")) as running:
        yield running


@pytest.fixture(scope="session")
def infra(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of infra/ for tests that keep no state in it."""
    return copied(tmp_path_factory.mktemp("copy"))


@pytest.fixture(scope="session")
def account(terraform: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A store, a registry and roles, made once: for tests that leave them as they are."""
    with made_account(terraform, tmp_path_factory.mktemp("account")) as account:
        yield account


@pytest.fixture(scope="session")
def one_moto() -> Iterator[Moto]:
    with moto_server() as server:
        yield server


@pytest.fixture
def moto(one_moto: Moto) -> Moto:
    """An AWS account with nothing in it; `moto_server` is for those who need one for longer than a test."""
    one_moto.reset()
    return one_moto
