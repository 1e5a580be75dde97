"""The tables in the README of each Terraform module: what it takes and what it gives, from its variables and outputs.

The files are read by their layout, which `terraform fmt` makes one and the same: a block begins at the margin, its
arguments two blanks further in, and it ends with a brace at the margin.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.reference.markdown import COMMAND, code, table

BEGIN, END = "<!-- BEGIN generated -->", "<!-- END generated -->"
_BLOCK = re.compile(r'(?ms)^(variable|output) "([^"]+)" \{\n(.*?)^\}$')
_ARGUMENT = re.compile(r"(?ms)^  (\w+)\s*= (.*?)(?=^  \w|^  #|\Z)")
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True, kw_only=True)
class Declared:
    """A variable or an output; `arguments` are its own by name, as they are written."""

    kind: str
    name: str
    arguments: Mapping[str, str]

    @property
    def description(self) -> str:
        written = self.arguments.get("description", '""')
        return str(json.loads(written)) if _STRINGS.fullmatch(written) else ""


def declared(module: Path) -> Iterator[Declared]:
    """The variables and outputs of a module, in the order of its files."""
    for name in ("variables.tf", "outputs.tf"):
        for kind, title, body in _BLOCK.findall((module / name).read_text(encoding="utf-8")):
            arguments = {key: value.strip() for key, value in _ARGUMENT.findall(body)}
            yield Declared(kind=kind, name=title, arguments=arguments)


def readmes(root: Path) -> dict[str, str]:
    """The text of each module's README by its path from `root`, with its tables made anew."""
    return {
        str(path.relative_to(root)): with_tables(path.read_text(encoding="utf-8"), path.parent)
        for path in sorted(root.glob("infra/modules/*/*/README.md"))
    }


def with_tables(readme: str, module: Path) -> str:
    """The README with this module's tables between the marks, or at its end where it has none."""
    before, _, rest = readme.partition(BEGIN)
    after = rest.partition(END)[2] or "\n"
    return f"{before.rstrip()}\n\n{BEGIN}\n{_tables(module)}\n{END}{after}"


def _tables(module: Path) -> str:
    found = list(declared(module))
    inputs = [
        [code(each.name), each.description, _one_line(each.arguments.get("type", "")), _default(each)]
        for each in found
        if each.kind == "variable"
    ]
    outputs = [[code(each.name), each.description] for each in found if each.kind == "output"]
    parts = [
        f"<!-- Made from the module by `{COMMAND}`; edits between the marks are lost. -->",
        "## Inputs",
        table(["input", "meaning", "type", "default"], inputs) or "None.",
        "## Outputs",
        table(["output", "is"], outputs) or "None.",
    ]
    return "\n\n".join(parts)


def _default(variable: Declared) -> str:
    if "default" not in variable.arguments:
        return "**required**"
    return _one_line(variable.arguments["default"])


def _one_line(written: str) -> str:
    """As code, with comments left out and the lines of an object parted by commas."""
    text = "\n".join(re.sub(r"\s#.*", "", line) for line in written.splitlines())
    text = re.sub(r"(?<=[^{(\[,])\n\s*(?=[^})\]\s])", ", ", text)
    return code(re.sub(r"\s*=\s*", " = ", " ".join(text.split())))
