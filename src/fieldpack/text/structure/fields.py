"""Records of lines `key: value`: contacts, listings, events, entries of a directory. The key of the first line begins
each of them; a blank line, or a line `BEGIN:...`, may stand before it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from fieldpack.text.structure.builder import Builder
from fieldpack.text.structure.lines import Lines
from fieldpack.text.structure.model import ATOMIC, KEY, LIST, UNIT

_FIELD = re.compile(
    r"(?P<key>[^\W\d_][^\n:：=\t;]{0,40})(?:;[^\n:]{0,80})?(?::(?!/{2})|：|=(?!=))[ \t]*+(?P<value>[^\n]*)"
)
_NAMING = frozenset(
    ["name", "fn", "n", "title", "summary", "subject", "label", "hostname", "package", "item", "product"]
)
_NAMING |= frozenset(["姓名", "名称", "名前", "商品名", "이름", "имя", "название"])
"""Keys that say which record it is, before the first one."""
_ENVELOPE = frozenset(["begin", "version", "prodid", "uid", "dtstamp", "created"])
_SMALL = 160
"""Characters up to which a record is one atom."""
_SAMPLE, _LONGEST = 200, 300
_STOPS = tuple(".!?…。！？؟।")


def are_records(head: str) -> bool:
    """Whether a text's first lines are such records. Lines of talk ("Anna: yes.") have the same form, but their values
    are sentences, and names come again where the keys of a record stand once."""
    if head.count(":") + head.count("：") + head.count("=") < 4:
        return False
    lines, gaps, gap, deeper = list[str](), list[bool](), True, 0
    for line in head.split("\n")[:_SAMPLE]:
        if not line.strip():
            gap = True
        elif line[0].isspace():
            deeper += 1
        else:
            lines.append(line.strip())
            gaps.append(gap)
            gap = False
    if len(lines) < 4 or deeper > 0.5 * len(lines):
        return False
    fields = [_FIELD.match(line[:_LONGEST]) for line in lines]
    found = [field for field in fields if field]
    if fields[0] is None or len(found) < 0.9 * len(lines):
        return False
    keys = [_key(field) for field in fields]
    if keys[0] == "begin":
        return keys.count("begin") > 1 and "end" in keys
    sentences = sum(field["value"].rstrip().endswith(_STOPS) for field in found)
    return sentences <= 0.4 * len(found) and _come_again(keys, gaps)


def _come_again(keys: list[str], gaps: list[bool]) -> bool:
    """Whether the first key begins records: most hold the same keys, each once."""
    blocks, starts = sum(gaps), [n for n, key in enumerate(keys) if key == keys[0]]
    parted = blocks > 1
    if len(starts) < (2 if parted else 3) or (parted and sum(gaps[n] for n in starts) < 0.8 * blocks):
        return False
    records = [keys[a:b] for a, b in pairwise([*starts, len(keys)])]
    counts = Counter(key for record in records for key in set(record))
    usual = sum(count >= 0.6 * len(records) for count in counts.values())
    return usual >= (2 if parted else 3) and sum(len(set(r)) == len(r) for r in records) >= 0.8 * len(records)


def _key(field: re.Match[str] | None) -> str:
    return field["key"].strip().casefold() if field else ""


def read_records(builder: Builder, lines: Lines) -> None:
    """Adds all lines as records: a small one is one atom, the lines of others go with the one that names it."""
    text = builder.text
    keys = [
        _key(_FIELD.match(text, ink, min(end, ink + _LONGEST))) if not indent else ""
        for ink, end, indent in zip(lines.ink, lines.end, lines.indent, strict=True)
    ]
    first = keys[0]
    starts = [
        n for n, key in enumerate(keys) if key == first and (first != "begin" or keys[n + 1 : n + 2] != ["begin"])
    ]
    builder.open("config")
    for n in range(starts[0]):  # the envelope around all of them
        builder.row(lines.ink[n], lines.end[n], LIST, builder.owner, -1)
    for number, (i, k) in enumerate(pairwise([*starts, len(lines)])):
        _record(builder, lines, keys, (i, k), number)
    builder.close(rows=len(starts))


def _record(builder: Builder, lines: Lines, keys: Sequence[str], span: tuple[int, int], number: int) -> None:
    i, k = span
    length = lines.end[k - 1] - lines.ink[i]
    builder.open("record", UNIT | ATOMIC if length <= builder.max_chars else 0)
    if length <= min(_SMALL, builder.line_chars):
        builder.atom(lines.ink[i], lines.end[k - 1], LIST, row=number)
    else:
        name = _naming_line(keys[i:k])
        atoms = [builder.line(lines.ink[n], lines.end[n], LIST, builder.owner, number) for n in range(i, k)]
        for atom in atoms[:name] + atoms[name + 1 :]:
            builder.set_context(atom, atoms[name])
        builder.set_role(atoms[name], KEY)
    builder.close()


def _naming_line(keys: Sequence[str]) -> int:
    """Which of a record's lines says which record it is: its name or title, else the first that is no envelope."""
    named = [n for n, key in enumerate(keys) if key in _NAMING]
    return named[0] if named else next((n for n, key in enumerate(keys) if key and key not in _ENVELOPE), 0)
