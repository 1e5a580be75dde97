"""docs/reference/commands.md, from the parser that the command line itself uses."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import mlops_ci.errors
from mlops_ci.cli.main import build_parser
from mlops_ci.errors import MlopsError
from tools.reference.answers import answers
from tools.reference.markdown import code, page, table

EVERYWHERE = "everywhere"  # the title of the group of flags that every command takes
INTRODUCTION = """\
`mlops-ci COMMAND --help` says the same. Where a command takes `MODEL`, it may be left out in a repository of one model.
Lists of fields name what other programs may rely on: more may be there and will be added, none of these is renamed."""


def commands_page() -> str:
    parser = build_parser()
    found = list(_commands(parser, ()))
    shared = next(group for group in found[0][1]._action_groups if group.title == EVERYWHERE)
    common = shared._group_actions
    listed = answers()
    return page(
        "Commands",
        INTRODUCTION,
        table(["command", "does"], [[f"[{code(name)}](#{name.replace(' ', '-')})", does] for name, _, does in found]),
        "## Flags of every command",
        _arguments([*common, *(action for action in parser._actions if "--version" in action.option_strings)]),
        "## Exit codes",
        _exit_codes(),
        *(_section(name, command, does, common, listed.get(name, ())) for name, command, does in found),
    )


def _commands(
    parser: argparse.ArgumentParser, words: tuple[str, ...]
) -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    """Every command that runs, with its words after `mlops-ci`, and what it does."""
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
        for name, child in action.choices.items():
            if child.get_default("run") is None:
                yield from _commands(child, (*words, name))
            else:
                yield " ".join((*words, name)), child, helps[name]


def _section(
    name: str,
    command: argparse.ArgumentParser,
    does: str,
    common: Sequence[argparse.Action],
    fields: Sequence[tuple[str, str]],
) -> str:
    own = [action for action in command._actions if action not in common and action.dest != "help"]
    own = [action for action in own if "--json" not in action.option_strings and not _is_common(action, common)]
    parts = [f"## {code(name)}", f"{does[:1].upper()}{does[1:]}.", _arguments(own)]
    parts += [_exclusions(command)]
    if fields:
        parts += ["`--json`:", table(["field", "is"], [[code(field), meaning] for field, meaning in fields])]
    return "\n\n".join(part for part in parts if part)


def _is_common(action: argparse.Action, common: Sequence[argparse.Action]) -> bool:
    return any(action.option_strings == other.option_strings and action.option_strings for other in common)


def _exclusions(command: argparse.ArgumentParser) -> str:
    lines = []
    for group in command._mutually_exclusive_groups:
        names = ", ".join(_spelled(action) for action in group._group_actions)
        lines.append(f"{'Exactly' if group.required else 'At most'} one of {names}.")
    return " ".join(lines)


def _arguments(actions: Sequence[argparse.Action]) -> str:
    return table(
        ["argument", "meaning", "default"],
        [[_spelled(action), _meaning(action), _default(action)] for action in actions],
    )


def _spelled(action: argparse.Action) -> str:
    value = _value(action)
    if not action.option_strings:
        return code(value)
    return ", ".join(code(f"{flag} {value}".strip()) for flag in action.option_strings)


def _value(action: argparse.Action) -> str:
    """What is written in the value's place, as in a usage line."""
    if action.nargs == 0:
        return ""
    name = action.metavar or ("{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper())
    shown = str(name if not isinstance(name, tuple) else " ".join(name))
    return {"*": f"[{shown} …]", "+": f"{shown} …", "?": f"[{shown}]"}.get(str(action.nargs), shown)


def _meaning(action: argparse.Action) -> str:
    text = (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")
    if isinstance(action, argparse._AppendAction) and "several times" not in text:
        text += "; may be given several times"
    return f"{text} (required)" if action.required and action.option_strings else text


def _default(action: argparse.Action) -> str:
    """As the parser has it; what a command works out by itself is said by the meaning."""
    if action.default in (None, argparse.SUPPRESS, False) or action.default == []:
        return ""
    return code(str(action.default))


def _exit_codes() -> str:
    """Of the classes of errors, which are the only place where they are written."""
    rows = [["0", "", "done; also when the champion is kept"]]
    classes = [
        each for each in vars(mlops_ci.errors).values() if isinstance(each, type) and issubclass(each, MlopsError)
    ]
    for error in sorted(classes, key=lambda each: (each.exit_code, each.__name__)):
        about = " ".join((error.__doc__ or "").split("\n\n")[0].split())
        about = "A defect of mlops-ci itself: please report it." if error is MlopsError else about
        rows.append([str(error.exit_code), "" if error is MlopsError else code(error.__name__), about])
    return table(["code", "`kind` in `--json`", "means"], rows)
