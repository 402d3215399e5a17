"""Talk by turns, and mail by message: a turn's later sentences go with its first, a message's text with its head."""

from __future__ import annotations

import re

from fieldpack.text.structure.builder import Builder
from fieldpack.text.structure.dialects import dialect_of
from fieldpack.text.structure.document import read_document, read_lead
from fieldpack.text.structure.lines import Lines, read_lines
from fieldpack.text.structure.logs import STAMP
from fieldpack.text.structure.model import ATOMIC, KEY, LIST, UNIT

_TURN = re.compile(
    r"(?:[-–|]|[^\S\n])*+(?:<(?P<nick>[^<>\n]{1,30})>"
    r"|\*{0,2}_{0,2}(?P<name>[^\W\d_][\w.'’ -]{0,40}?)(?:[ ]\([^()\n]{1,30}\))?_{0,2}\*{0,2}:\*{0,2})(?=[ \t]|$)",
    re.M,
)
_HEADER = re.compile(
    r"(?:From|To|Cc|Bcc|Date|Sent|Subject|Reply-To|Von|An|Betreff|Gesendet|De|À|Objet|Envoyé|Para|Asunto|Message-ID|"
    r"Received|MIME-Version|Content-[\w-]+|X-[\w-]+|In-Reply-To|References|Return-Path|Delivered-To|List-[\w-]+):[ \t]"
)
_SENDER = re.compile(
    r"^(?:From|Von|De): \S[^\n]*\n(?:[ \t][^\n]*\n)*"
    r"(?:To|Cc|Date|Sent|Subject|An|Betreff|Gesendet|À|Objet|Envoyé|Para|Asunto): ",
    re.M,
)
_SUBJECT = re.compile(r"^(?:Subject|Betreff|Objet|Asunto|Date|Sent): ", re.M)
_NUMBERED = re.compile(r"(q|a|question|answer|frage|antwort|問|答|问)[ .]?\d{1,3}")
_LONGEST_QUESTION = 240
_LEVELS = frozenset(("error", "warning", "note", "info", "debug", "fatal", "http", "https", "todo", "fixme", "warn"))
_SAMPLE = 200


def speaker(text: str, at: int) -> str:
    """Who speaks in the line that starts at `at`, in lower case; "" when the line starts no turn."""
    stamp = STAMP.match(text, at)
    if stamp:
        at = stamp.end()
        while at < len(text) and text[at] in "])>Z ,":
            at += 1
    turn = _TURN.match(text, at)
    name = (turn["nick"] or turn["name"]).lower() if turn else ""
    numbered, words = _NUMBERED.fullmatch(name), name.split()
    if not words or words[0] in _LEVELS or len(words) > 4:
        return ""
    return numbered[1] if numbered else name


def is_transcript(head: str) -> bool:
    """Whether at least half of the first lines start turns of speakers who speak again."""
    if head.count(":") + head.count("<") < 4:  # one in each line that starts a turn
        return False
    lines = [line for line in head.split("\n")[:_SAMPLE] if line.strip()]
    names = [name for line in lines if not line[0].isspace() and (name := speaker(line[:200], 0))]
    if len(names) < 4 or len(names) < 0.5 * len(lines):
        return False
    return len(set(names)) <= 0.5 * len(names) or len(set(names)) == 2


def read_transcript(builder: Builder, low: int, high: int) -> None:
    """Reads [low, high) as turns: a turn is one atom, or its sentences where it is long. Where two speak, an answer
    goes with the short question before it: it seldom says again what was asked."""
    text = builder.text
    lines = read_lines(text, low, high)
    speakers = [speaker(text, ink) for ink in lines.ink]
    starts = [n for n, name in enumerate(speakers) if name]
    turns = read_lead(builder, low, high, lines, starts)
    if not turns:
        return
    builder.open("transcript")
    two, asked, asker = len({speakers[n] for n in starts}) == 2, -1, ""
    for number, (i, k) in enumerate(turns):
        first = builder.count
        _turn(builder, lines, i, k, number)
        if asked >= 0 and speakers[i] != asker:
            builder.set_context(first, asked)
        short = lines.end[k - 1] - lines.ink[i] <= _LONGEST_QUESTION
        asked = first if two and short and text[lines.end[k - 1] - 1] in "?？؟" else -1
        asker = speakers[i]
    builder.close(rows=len(starts))


def _turn(builder: Builder, lines: Lines, i: int, k: int, number: int) -> None:
    """Lines [i, k) of one turn."""
    builder.open("turn", UNIT | (ATOMIC if lines.end[k - 1] - lines.ink[i] <= builder.max_chars else 0))
    builder.number = number
    if lines.end[k - 1] - lines.ink[i] <= builder.line_chars:
        builder.atom(lines.ink[i], lines.end[k - 1], LIST)
    else:
        first = -1
        for n in range(i, k):
            if n == i or lines.gap[n]:
                last = n + 1
                while last < k and not lines.gap[last]:
                    last += 1
                at = builder.sentences(lines.ink[n], lines.end[last - 1], LIST)
                first = at if first < 0 else first
        for atom in range(first + 1, builder.count):
            builder.set_context(atom, first)
    builder.number = -1
    builder.close()


def is_mail(head: str) -> bool:
    """Whether a text starts with a mail's headers, or holds several mails."""
    if not ("From: " in head or "Von: " in head or "De: " in head):
        return False
    top = head.lstrip()[:3000]
    headed = _HEADER.match(top) is not None and re.search(r"^(?:From|Von|De): ", top, re.M) is not None
    return (headed and _SUBJECT.search(top) is not None) or len(_SENDER.findall(head)) >= 2


def read_mail(builder: Builder, low: int, high: int) -> None:
    """Reads [low, high) as one or more mails: headers, then text in paragraphs, quotations, lists."""
    lines = read_lines(builder.text, low, high)
    starts = [n for n in range(len(lines)) if _opens_mail(builder.text, lines, n)]
    messages = read_lead(builder, low, high, lines, starts)
    if not messages:
        return
    builder.open("transcript")
    for number, (i, k) in enumerate(messages):
        _message(builder, lines, i, lines.begin[k] if k < len(lines) else high, number)
    builder.close(rows=len(starts))


def _opens_mail(text: str, lines: Lines, n: int) -> bool:
    """Whether line n is the first of two header lines and more."""
    if not _HEADER.match(text, lines.ink[n]) or (n and not lines.gap[n] and _HEADER.match(text, lines.ink[n - 1])):
        return False
    if n and not lines.gap[n] and text[lines.begin[n]].isspace():
        return False
    return n + 1 < len(lines) and not lines.gap[n + 1] and bool(_HEADER.match(text, lines.ink[n + 1]))


def _message(builder: Builder, lines: Lines, i: int, high: int, number: int) -> None:
    n = i
    builder.open("message", UNIT if high - lines.ink[i] <= builder.max_chars else 0)
    owner, builder.number, head = builder.owner, number, -1
    while n < len(lines) and lines.begin[n] < high and (n == i or not lines.gap[n]):
        k = n + 1
        while k < len(lines) and lines.begin[k] < high and not lines.gap[k]:
            if lines.end[k] - lines.ink[n] > builder.line_chars:
                break
            k += 1
        at = builder.line(lines.ink[n], lines.end[k - 1], LIST, owner)
        if head < 0:
            head = at
            builder.set_role(at, KEY)
        n = k
    if n < len(lines) and lines.begin[n] < high:
        builder.owner = head
        start = lines.begin[n]
        read_document(builder, start, high, dialect_of(builder.text[start : min(high, start + 20_000)]))
    builder.owner, builder.number = owner, -1
    builder.close()
