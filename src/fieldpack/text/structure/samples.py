"""Tests of a text's first characters: is it JSON, a table of lines, a log, Markdown, code ...? Each is linear."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from itertools import islice

from fieldpack.text.structure.cues import are_cues
from fieldpack.text.structure.delimited import is_delimited
from fieldpack.text.structure.dialects import is_asciidoc, is_man, is_markdown, is_rst
from fieldpack.text.structure.diffs import is_diff
from fieldpack.text.structure.dockerfile import is_dockerfile
from fieldpack.text.structure.fields import are_records
from fieldpack.text.structure.logs import is_log
from fieldpack.text.structure.transcripts import is_mail, is_transcript
from fieldpack.text.structure.xml import is_xml

SAMPLE_CHARS = 20_000

# A line break first instead of "^": the search goes from one to the next, ten times as fast.
_CODE = re.compile(
    r"\n(?:#!/|#include\b|(?:def|class) ++\w[^\n]*:[^\S\n]*+$|from ++[\w.]++ ++import |import ++[\w.]++[^\S\n]*+;?$"
    r"|(?:public|private|static|export|function|func|fn|package|using|namespace)\b[^\n]*[;{][^\S\n]*+$"
    r"|(?:CREATE|ALTER|DROP|INSERT INTO|UPDATE|DELETE FROM)\b[^\n]*[;(][^\S\n]*+$)",
    re.MULTILINE,
)
# One function, as code search gives it: prose does not begin so.
_FUNCTION = re.compile(
    r"\s*+(?:@\w[^\n]*+\s++)*+(?:(?P<python>(?:async ++)?def ++\w++ *+\(|class ++\w++[^\n]*:[^\S\n]*+$)"
    r"|(?:public|private|protected|static|export|function|func|fn|pub)\b[^\n]*\{[^\S\n]*+$)",
    re.MULTILINE,
)
_FEWEST_CODE, _FEWEST_BLOCKS = 8, 2
_FENCE = re.compile(r"^[^\S\n]*+```|^[ ]{0,3}~~~", re.MULTILINE)
_SOURCE_START = re.compile(r"\s*(?:\"\"\"|'''|import |from \w|#!|//|/\*|package |using |use )")
_PYTHON = re.compile(r"^(?:(?:async ++)?def|class) ++\w[^\n]*:[^\S\n]*+$", re.MULTILINE)
_TAG = re.compile(
    r"\s*(?:<!doctype html|<html|<\?xml|<!--)|</(?:p|div|td|tr|li|ul|span|table|body|h\d|a|section)>", re.I
)


def _is_code(head: str, python: bool) -> bool:
    function = _FUNCTION.match(head)
    if function:
        return bool(function["python"]) == python
    if "\n" not in head or (("```" in head or "~~~" in head) and _is_fenced(head)):
        return False
    if len(_CODE.findall("\n" + head)) >= 2:
        return bool(_PYTHON.search(head)) == python
    return not python and _ends_in_signs(head)


def _ends_in_signs(head: str) -> bool:
    """Whether most lines end as statements and blocks do, in "{", "}" or ";", or stand inside such blocks."""
    if head.count("{") < _FEWEST_BLOCKS or head.count("}") < _FEWEST_BLOCKS:
        return False
    lines = [line for line in map(str.rstrip, head.split("\n")) if line]
    opened, closed = sum(line.endswith("{") for line in lines), sum(line.lstrip()[:1] == "}" for line in lines)
    if min(opened, closed) < _FEWEST_BLOCKS or len(lines) < _FEWEST_CODE:
        return False
    outer = sum(line.endswith("{") and not line[0].isspace() for line in lines)
    blocks = outer > _FEWEST_BLOCKS and abs(opened - closed) <= 1
    inside = sum(line.endswith(("{", "}", ";")) or (blocks and line[0].isspace()) for line in lines)
    return inside >= 0.7 * len(lines)


def _is_fenced(head: str) -> bool:
    """Whether a text that does not begin as source code has fences."""
    return _FENCE.search(head) is not None and _SOURCE_START.match(head) is None


def _is_html(head: str) -> bool:
    return head.lstrip()[:1] == "<" and next(islice(_TAG.finditer(head), 1, None), None) is not None


_JSON = re.compile(
    r"\s*(?:\{\s*(?:\"[^\"\n]*+\"\s*:|\})|\[\s*(?:\[\s*(?:[\[{\"\]\d-]|true|false|null)|[{\"\]]|-?\d|true|false|null))"
)
_JSON_KEY = re.compile(r"\"[^\"\n]{1,100}\"\s*:")
_SETTING = re.compile(r"^[ \t]*(?:-[ ]+)?[\w.\"'/$@*-]+(?: [\w.-]+){0,3}[ \t]*(?::(?:[ \t]|$)|=(?!=))", re.M)
_LITERAL = re.compile(r":[ ]+[|>][-+\d]?\s*$")
_PINNED = re.compile(r"[\w.-]+(?:\[[\w,-]+\])?\s*(?:[=<>!~]=|[<>])\s*[\w.*]")


def _is_json(text: str) -> bool:
    if _JSON.match(text) is None:
        return False
    return text[-200:].rstrip()[-1:] in "}]" or len(_JSON_KEY.findall(text[:SAMPLE_CHARS])) >= 3


def _is_json_lines(text: str) -> bool:
    lines = [line.strip() for line in text[:SAMPLE_CHARS].split("\n")[:20] if line.strip()]
    if len(text) > SAMPLE_CHARS and len(lines) > 1:
        lines = lines[:-1]
    return len(lines) >= 2 and all(line[0] == "{" and line[-1] == "}" for line in lines)


def _without_literals(lines: list[str]) -> list[str]:
    """Lines without the text blocks of YAML: what stands deeper under `key: |`."""
    out, columns = list[str](), -1
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if columns < 0 or indent <= columns:
            out.append(line)
            columns = indent if _LITERAL.search(line) else -1
    return out


def _is_config(head: str) -> bool:
    """Whether nearly all lines are settings, comments or sections."""
    lines = _without_literals([line for line in head.split("\n")[:200] if line.strip()])
    if len(lines) < 3 or "```" in head or any(line.strip() in ("{", "[") for line in lines):
        return False
    plain = [line for line in lines if not line.lstrip().startswith(("#", ";", "[", "---", "//", "!"))]
    settings = sum(_SETTING.match(line) is not None or _PINNED.match(line) is not None for line in plain)
    listed = sum(line.lstrip().startswith("- ") or len(line.split()) == 1 for line in plain)
    words = sum(len(line.split()) > 12 for line in plain)
    return settings >= max(2, 0.3 * len(plain)) and settings + listed >= 0.85 * len(plain) and words <= 0.1 * len(plain)


TESTS: dict[str, Callable[[str], bool]] = {
    "jsonl": _is_json_lines,
    "json": _is_json,
    "xml": is_xml,
    "html": _is_html,
    "diff": is_diff,
    "mail": is_mail,
    "csv": is_delimited,
    "transcript": lambda head: are_cues(head) or (is_transcript(head) and not are_records(head)),
    "log": is_log,
    "man": is_man,
    "asciidoc": is_asciidoc,
    "rst": is_rst,
    "python": partial(_is_code, python=True),
    "code": partial(_is_code, python=False),
    "config": lambda head: are_records(head) or is_dockerfile(head) or _is_config(head),
    "markdown": is_markdown,
}
"""In the order in which a text without a name is tried."""
WHOLE = frozenset(("json", "jsonl"))
"""The tests that see the whole text: where it ends matters."""
FEWEST_LINES = {"jsonl": 2, "mail": 2, "csv": 3, "transcript": 4, "log": 3, "config": 3}
"""Lines below which a text cannot pass a test: most passages are one line, and are not tried by these."""
