"""Roots that are composed of the tests of all modules, or of all examples in their READMEs, so that one command does.

Reading the schema of AWS's provider takes each command of Terraform four seconds; a module's tests take little more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

RUN = re.compile(r'(?m)^run "[^"]+" \{$')
EXAMPLE = re.compile(r"(?ms)^```hcl\n(.*?)^```$")
PROVIDER = re.compile(r'(?ms)^provider "\w+" \{\n.*?^\}\n')
SOURCE = re.compile(r'"github\.com/[\w.-]+/[\w.-]+//infra/([\w/-]+)\?ref=[\w.-]+"')


def modules(infra: Path, cloud: str = "*") -> list[Path]:
    """The folders of the modules, of one cloud or of all."""
    return sorted(path.parent for path in infra.glob(f"modules/{cloud}/*/versions.tf"))


def root_of_tests(folder: Path, found: Iterable[Path]) -> Path:
    """A root whose tests are those of all these modules, each run saying which module it is about; returns it.

    They are the same that `terraform test` runs in a module's folder.
    """
    (folder / "tests").mkdir(parents=True)
    (folder / "main.tf").write_text("")  # in a folder without a file `init` does nothing
    for module in found:
        source = os.path.relpath(module, folder)
        for file in sorted(module.glob("tests/*.tftest.hcl")):
            stated = RUN.sub(
                lambda run, at=source: f'{run[0]}\n  module {{\n    source = "{at}"\n  }}', file.read_text()
            )
            (folder / "tests" / f"{module.name}-{file.name}").write_text(stated)
    return folder


def examples(readme: Path) -> Iterator[str]:
    """The examples of a README, as they are written; none of one that is not there."""
    return (found[1] for found in EXAMPLE.finditer(readme.read_text() if readme.is_file() else ""))


def root_of_examples(folder: Path, infra: Path, found: Iterable[Path]) -> Path:
    """A root that has all examples of these modules' READMEs as modules; returns it. `infra` is what they name.

    Their providers' blocks, which have to be alike, are the root's: each block would start a provider of its own.
    """
    folder.mkdir(parents=True)
    named, providers = [], set()
    for module in found:
        for number, text in enumerate(examples(module / "README.md"), 1):
            example = folder / f"{module.name}-{number}"
            example.mkdir()
            providers.update(PROVIDER.findall(text))
            local = SOURCE.sub(lambda at, of=example: f'"{os.path.relpath(infra / at[1], of)}"', PROVIDER.sub("", text))
            (example / "main.tf").write_text(local)
            named.append(example.name)
    blocks = [f'module "{name}" {{\n  source = "./{name}"\n}}\n' for name in named]
    (folder / "main.tf").write_text("\n".join([*providers, *blocks]))
    return folder
