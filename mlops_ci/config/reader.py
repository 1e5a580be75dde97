"""Reads YAML strictly: nothing is dropped, doubled, shared or guessed, and every value knows its line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from mlops_ci.config.document import Document, Finding, KeyPath
from mlops_ci.config.scalars import Scalar, resolve
from mlops_ci.config.wording import inside, shown, spelled_out
from mlops_ci.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from yaml import Event, MarkedYAMLError, NodeEvent, ScalarEvent, YAMLError

LARGEST_FILE = 1_000_000
DEEPEST_NESTING = 50
_OTHER_ENCODINGS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_CONTROL = frozenset(map(chr, range(32))) - {"\n", "\t"} | {"\x7f"}
_FIXES = {
    "mapping values are not allowed": "check the indentation; put a text that holds a colon in quotes",
    "could not find expected ':'": "write `key: value`, with a space after the colon",
    "did not find expected key": "check the indentation, and that every key is written `key: value`",
    "did not find expected '-' indicator": "check the indentation of the list's items",
    "did not find expected ',' or": "close the bracket, and put commas between the items",
    "found unexpected end of stream": "close the quotes",
    "found character that cannot start any token": "put the text in quotes",
    "found unknown escape character": "double the backslash, or use single quotes",
}


def read(data: bytes, name: str) -> Document:
    """The one mapping that the file `name` holds. Raises ConfigurationError with all that the reader finds wrong."""
    document = parse(data, name)
    if document.findings:
        problems = document.problems(document.findings)
        raise ConfigurationError(f"{name} cannot be read", fix="mend the lines below", problems=problems)
    return document


def parse(data: bytes, name: str) -> Document:
    """As `read`, but what can be survived (such as a key written twice) is handed on in `Document.findings`.

    Raises ConfigurationError for a file that cannot be read to its end.
    """
    import yaml

    text = _decoded(data, name)
    builder = _Builder(name=name)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.YAMLError as error:
        _refuse_syntax(error, text, name)
    return builder.document()


@dataclass(kw_only=True)
class _Open:
    """A mapping or list whose end has not been read yet; `key` waits for its value."""

    value: dict[str, Any] | list[Any]
    path: KeyPath
    key: str | None = None
    seen: dict[str, int] = field(default_factory=dict)


@dataclass(kw_only=True)
class _Builder:
    """Builds values from the parser's events without recursion, so that no nesting can exhaust the stack."""

    name: str
    root: Any = None
    documents: int = 0
    stack: list[_Open] = field(default_factory=list)
    lines: dict[KeyPath, int] = field(default_factory=dict)
    plain: dict[KeyPath, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    broken: set[KeyPath] = field(default_factory=set)

    def take(self, event: Event) -> None:
        from yaml import events

        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, events.DocumentStartEvent):
            self._count_document(line)
        elif isinstance(event, events.CollectionEndEvent):
            self.stack.pop()
        elif isinstance(event, events.NodeEvent):
            self._refuse_features(event, line)
            if self._wants_key():
                self._open_key(event, line)
            elif isinstance(event, events.CollectionStartEvent):
                self._open_collection({} if isinstance(event, events.MappingStartEvent) else [], line)
            elif isinstance(event, events.ScalarEvent):
                path = self._place(line)
                self._fill(self._scalar(event, path, line))
            else:
                self.broken.add(self._place(line))
                self._fill(None)

    def document(self) -> Document:
        if self.root is None:
            _refuse(self.name, 1, "the file is empty", "write the configuration into it")
        if not isinstance(self.root, dict):
            _refuse(self.name, self.lines[()], "the top level is not a mapping", "write `key: value` lines")
        return Document(
            name=self.name,
            value=self.root,
            lines=self.lines,
            plain=self.plain,
            findings=tuple(self.findings),
            broken=frozenset(self.broken),
        )

    def _count_document(self, line: int) -> None:
        self.documents += 1
        if self.documents > 1:
            _refuse(self.name, line, "a second document begins", "keep one document and remove the `---`")

    def _wants_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None

    def _open_key(self, event: NodeEvent, line: int) -> None:
        from yaml import events

        if isinstance(event, events.CollectionStartEvent):
            _refuse(self.name, line, "a mapping or list is used as a key", "use a text as the key")
        top = self.stack[-1]
        top.key = event.value if isinstance(event, events.ScalarEvent) else f"*{event.anchor}"
        if isinstance(event, events.ScalarEvent):
            self._refuse_control(event.value, line)
            if event.implicit[0] and top.key in ("", "~", "null"):
                self._find(line, f"a key is missing {inside(top.path)}", "write the key in front of the colon")
            if event.implicit[0] and top.key == "<<":
                self._find(line, "merge keys (`<<`) are not supported", "write the values out")
        if top.key in top.seen:
            what = f"key {spelled_out(top.key)} is written twice {inside(top.path)}, first on line {top.seen[top.key]}"
            self._find(line, what, "keep one of the two")
        top.seen.setdefault(top.key, line)
        self.lines[(*top.path, top.key)] = line

    def _open_collection(self, value: dict[str, Any] | list[Any], line: int) -> None:
        if len(self.stack) >= DEEPEST_NESTING:
            _refuse(self.name, line, f"the nesting is deeper than {DEEPEST_NESTING} levels", "write it flatter")
        path = self._place(line)
        self._fill(value)
        self.stack.append(_Open(value=value, path=path))

    def _place(self, line: int) -> KeyPath:
        """Where the value that begins now belongs. A mapping's value keeps the line of its key."""
        if not self.stack:
            path: KeyPath = ()
        else:
            top = self.stack[-1]
            path = (*top.path, len(top.value) if isinstance(top.value, list) else str(top.key))
        self.lines.setdefault(path, line)
        return path

    def _fill(self, value: Any) -> None:
        if not self.stack:
            self.root = value
            return
        top = self.stack[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        else:
            top.value[str(top.key)] = value
            top.key = None

    def _scalar(self, event: ScalarEvent, path: KeyPath, line: int) -> Scalar:
        self._refuse_control(event.value, line)
        if not event.implicit[0]:
            return str(event.value)
        self.plain[path] = event.value
        try:
            return resolve(event.value)
        except ValueError as error:
            what = f"{shown(path)}: {spelled_out(event.value)} {error}"
            self._find(line, what, "write a number of ordinary size, or put it in quotes if a text is meant")
            self.broken.add(path)
            return None

    def _refuse_features(self, event: NodeEvent, line: int) -> None:
        from yaml import events

        if isinstance(event, events.AliasEvent):
            self._find(line, f"aliases (`*{event.anchor}`) are not supported", "write the value out")
        elif event.anchor is not None:
            self._find(line, f"anchors (`&{event.anchor}`) are not supported", "remove it, and write the value out")
        elif (tag := getattr(event, "tag", None)) is not None:
            self._find(line, f"tags ({spelled_out(tag)}) are not supported", "remove it; quotes make a text")

    def _refuse_control(self, text: str, line: int) -> None:
        if not _CONTROL.isdisjoint(text):
            self._find(line, f"{spelled_out(text)} holds a control character", "remove it")

    def _find(self, line: int, what: str, fix: str) -> None:
        self.findings.append(Finding(line=line, what=what, fix=fix))


def _decoded(data: bytes, name: str) -> str:
    if len(data) > LARGEST_FILE:
        _refuse(
            name, 1, f"the file is larger than {LARGEST_FILE // 1_000_000} MB", "configuration is short; move data out"
        )
    if data.startswith(_OTHER_ENCODINGS):
        _refuse(name, 1, "the file is not UTF-8 but UTF-16 or UTF-32", "save it as UTF-8")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        _refuse(name, line, f"byte 0x{error.object[error.start]:02x} is not UTF-8", "save the file as UTF-8")


def _refuse_syntax(error: YAMLError | MarkedYAMLError, text: str, name: str) -> NoReturn:
    from yaml.reader import ReaderError

    if isinstance(error, ReaderError):
        line = text.encode()[: error.position].count(b"\n") + 1
        _refuse(name, line, "the file holds a control character", "remove it")
    rows = text.splitlines()
    line, reason = _place_and_reason(error, len(rows))
    row = rows[line - 1] if rows else ""
    fix = "check the indentation, the colons and the quotes on this line and the one before"
    fix = next((known for part, known in _FIXES.items() if part in reason), fix)
    if "\t" in row[: len(row) - len(row.lstrip())]:
        fix = "indent with spaces, not with tabs"
    _refuse(name, line, f"not valid YAML: {reason}", fix)


def _place_and_reason(error: YAMLError | MarkedYAMLError, last: int) -> tuple[int, str]:
    """Where something is still open when the file ends, the mistake is where it was opened."""
    begun, noticed = getattr(error, "context_mark", None), getattr(error, "problem_mark", None)
    mark = noticed if noticed and (noticed.line < last or not begun) else begun
    line = min(mark.line + 1, max(last, 1)) if mark else 1
    return line, getattr(error, "problem", None) or str(error)


def _refuse(name: str, line: int, what: str, fix: str) -> NoReturn:
    problem = Problem(where=f"{name}:{line}", what=what, fix=fix)
    raise ConfigurationError(f"{name} cannot be read", problems=[problem])
