"""The canonical layout of shells: one form for one meaning, comments kept."""

from __future__ import annotations

from collections.abc import Iterator

from fieldpack.errors import InputError
from fieldpack.shell import scan
from fieldpack.shell.nodes import Chain, Entry, List, Map, Shell, Value, Word

WIDTH = 100
_STEP = "    "


def top(shell: Shell) -> str:
    """A whole text: prose around the shell as it is, comments kept, blank lines dropped, every entry of the body on
    its line."""
    before, after = shell.before.removeprefix("\ufeff"), shell.after
    if scan.TRIVIA.fullmatch(before):
        before = "".join(f"{c}\n" for c in (*_comments(before), *_comments(shell.gap)))
    text = before + name_text(shell) + (_lines(shell.body, "") if shell.body else "")
    if not scan.TRIVIA.fullmatch(after):
        return text + after
    same_line, below = _sides(after)
    return "\n".join((text + _after(same_line), *below)) + "\n"


def block(value: Value, indent: str, used: int) -> str:
    """A value that begins at column `used` of a line with that indentation: on the line if it fits, else over
    several."""
    line = inline(value)
    if line is not None and used + len(line) < WIDTH:
        return line
    match value:
        case Map() | List():
            return _lines(value, indent)
        case Shell():
            name = name_text(value)
            return name + (block(value.body, indent, used + len(name)) if value.body else "")
        case Chain():
            return " -> ".join(block(part, indent, used) for part in value.parts)
        case _:
            return scan.canonical_leaf(value)


def inline(value: Value) -> str | None:
    """The value on one line, or None when a comment forbids it."""
    match value:
        case Map() | List():
            items = [_inline_entry(e) for e in value.entries]
            if any(map(_comments, value.gaps)) or None in items:
                return None
            text = ", ".join(filter(None, items))
            return f"{{{text}}}" if isinstance(value, Map) else f"[{text}]"
        case Shell():
            body = inline(value.body) if value.body else ""
            return None if body is None else name_text(value) + body
        case Chain():
            if len(value.parts) < 2 or any(isinstance(part, Chain) for part in value.parts):
                raise InputError("a chain is two or more values, none of them a chain")
            parts = [inline(part) for part in value.parts]
            return None if None in parts else " -> ".join(filter(None, parts))
        case _:
            return scan.canonical_leaf(value)


def name_text(shell: Shell) -> str:
    """`/name`. InputError when it is no name."""
    if not scan.NAME.fullmatch(f"/{shell.name}"):
        raise InputError(f"{shell.name!r} is no name of a shell; a name is letters and digits joined by . or -")
    return f"/{shell.name}"


def key_text(entry: Entry) -> str:
    """`key=`, or nothing without a key. InputError when the entry would be read otherwise."""
    first = entry.value.parts[0] if isinstance(entry.value, Chain) and entry.value.parts else entry.value
    if entry.key is None:
        if isinstance(first, Word) and scan.key_at(first.value, 0):
            raise InputError(f"{first.value!r} without a key would read as a key and a value; use String")
        return ""
    if not entry.quoted and not scan.KEY.fullmatch(entry.key):
        raise InputError(f"the key {entry.key!r} is no name; set quoted=True")
    blank = " " if isinstance(first, Word) and first.value[:1] in ("=", ">") else ""
    return f"{scan.quote(entry.key) if entry.quoted else entry.key}={blank}"


def _inline_entry(entry: Entry) -> str | None:
    text = None if any(_loose(entry)) else inline(entry.value)
    return None if text is None else key_text(entry) + text


def _lines(value: Map | List, indent: str) -> str:
    """One entry a line; a comment stays on the line of its entry, or above the entry that it stood above."""
    opening, closing = "{}" if isinstance(value, Map) else "[]"
    gaps = value.gaps if len(value.gaps) == len(value.entries) + 1 else [""] * (len(value.entries) + 1)
    inner = indent + _STEP
    lines = [opening, *(f"{inner}{c}" for c in _comments(gaps[0]))]
    for i, entry in enumerate(value.entries):
        key = key_text(entry)
        lines += [f"{inner}{c}" for c in _loose(entry)]
        comma = "," if i < len(value.entries) - 1 else ""
        same_line, below = _sides(gaps[i + 1])
        lines.append(f"{inner}{key}{block(entry.value, inner, len(inner) + len(key) + 1)}{comma}{_after(same_line)}")
        lines += [f"{inner}{c}" for c in below]
    return opening + closing if len(lines) == 1 else "\n".join((*lines, indent + closing))


def _loose(entry: Entry) -> Iterator[str]:
    """Comments within an entry that belong to no container: they are written above it."""
    key = scan.QUOTED.match(entry.head)
    yield from _comments(entry.head[key.end() if key else 0 :])
    values = entry.value.parts if isinstance(entry.value, Chain) else (entry.value,)
    for gap in entry.value.gaps if isinstance(entry.value, Chain) else ():
        yield from _comments(gap)
    for value in values:
        if isinstance(value, Shell):
            yield from _comments(value.gap)


def _comments(gap: str) -> list[str]:
    return [m[0].rstrip() for m in scan.COMMENT.finditer(gap)]


def _sides(gap: str) -> tuple[list[str], list[str]]:
    """The comments of a gap on the line of the entry before it, and the other comments."""
    same_line: list[str] = []
    below: list[str] = []
    for match in scan.COMMENT.finditer(gap):
        (below if "\n" in gap[: match.start()] else same_line).append(match[0].rstrip())
    return same_line, below


def _after(comments: list[str]) -> str:
    return "".join(f"  {c}" for c in comments)
