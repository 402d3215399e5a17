"""Protocol shells from text: `parse` for one, `parse_many` for those inside a prompt.

A hand-written parser with its own stack: it cannot recurse, reads every character a bounded number of times, keeps all
blanks and comments, and knows at each place what could stand there. The grammar is in docs/shells.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NoReturn

from fieldpack.errors import ShellSyntaxError
from fieldpack.shell import scan
from fieldpack.shell.nodes import MAX_DEPTH, Chain, Entry, List, Map, Shell, Span, String, Value

_CLOSE = {"{": "}", "[": "]"}
_SEPARATORS = ",;"


def parse(text: str) -> Shell:
    """The one shell of a text, with comments and, when the text is a prompt that quotes a shell (9.5.3), prose around
    it.

    The parts around the shell are kept in `before` and `after`. Raises ShellSyntaxError (.line, .column, .expected)
    where the text is no shell, holds more than one, is longer than 2**20 characters or nests deeper than 64 brackets.
    """
    parser = _Parser(text)
    start = parser.skip(1 if text.startswith("\ufeff") else 0)
    if not (scan.NAME.match(text, start) or text.startswith("/", start)):
        start = parser.find(start)
        if start < 0:
            parser.fail_at(parser.skip(0), "no shell found", ("'/' and a name",))
    shell = parser.shell(start)
    parser.end_of_text(shell.span.end)
    return replace(shell, before=text[:start], after=text[shell.span.end :])


def parse_many(text: str) -> tuple[Shell, ...]:
    """All shells of a prompt or file, in order; `/name{` starts one, `//` comments are passed over.

    Joining `dump` of the results gives the text again (when there is one at least). Raises ShellSyntaxError as `parse`.
    """
    shells = list(each(text))
    if shells:
        shells[-1] = replace(shells[-1], after=text[shells[-1].span.end :])
    return tuple(shells)


def each(text: str) -> Iterator[Shell]:
    """The shells of a text one by one: those before a syntax error are had before it is raised."""
    parser = _Parser(text)
    done = 0
    while (start := parser.find(done)) >= 0:
        shell = parser.shell(start)
        yield replace(shell, before=text[done:start])
        done = shell.span.end


@dataclass(slots=True)
class _Frame:
    """One open bracket."""

    bracket: str
    start: int
    gap_from: int  # where the text between the last child and the next begins
    name: str = ""  # of the shell whose body this is
    name_start: int = -1
    entries: list[Entry] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    item: int = -1  # where the entry being read starts, -1 between entries
    key: str | None = None
    quoted: bool = False
    head: str = ""
    parts: list[Value] = field(default_factory=list)  # of the entry's value, joined by arrows
    arrows: list[str] = field(default_factory=list)


class _Parser:
    def __init__(self, text: str) -> None:
        scan.check_text(text)
        self.text = text
        self.lines = scan.Lines(text)
        self.pos = 0
        self.frames: list[_Frame] = []
        self.nodes = 0
        self.long_string: Span | None = (
            None  # the last string that runs over lines: a likely place of a forgotten quote
        )

    # -- places and errors

    def skip(self, pos: int) -> int:
        """The offset after blanks and comments."""
        match = scan.TRIVIA.match(self.text, pos)
        return match.end() if match else pos

    def find(self, pos: int) -> int:
        """The offset of the next `/name{` that is not in a comment, or -1."""
        for match in scan.SHELL_IN_PROSE.finditer(self.text, pos):
            if not match[0].startswith("//"):
                return match.start()
        return -1

    def span(self, start: int, end: int) -> Span:
        self.nodes += 1
        if self.nodes > scan.MAX_NODES:
            self.fail_at(start, f"more than {scan.MAX_NODES} values in one text")
        return self.lines.span(start, end)

    def fail_at(self, pos: int, message: str, expected: tuple[str, ...] = ()) -> NoReturn:
        place = self.lines.span(min(pos, len(self.text)), pos)
        raise ShellSyntaxError(message, place.line, place.column, expected)

    def unexpected(self, expected: tuple[str, ...]) -> NoReturn:
        """Raises the error for the text at the current place; it names a bracket or quote that may be the cause."""
        if self.text.startswith("/*", self.pos):
            self.fail_at(self.pos, "this comment is not closed", ("'*/'",))
        frame = self.frames[-1] if self.frames else None
        if self.pos >= len(self.text):
            message = "the text ends"
        elif run := scan.NAME.match(self.text, self.pos) or scan.KEY.match(self.text, self.pos):
            message = f"found {run[0][:40]!r}"
        else:
            message = f"found {self.text[self.pos]!r}"
        if frame and (self.pos >= len(self.text) or self.text[self.pos] in "}]".replace(_CLOSE[frame.bracket], "")):
            place = self.lines.span(frame.start, frame.start)
            message += f", but the {frame.bracket!r} of line {place.line}, column {place.column} is still open"
        if self.long_string:
            message += f" (a string runs over lines from line {self.long_string.line}: is its closing quote missing?)"
        self.fail_at(self.pos, message, expected)

    def end_of_text(self, pos: int) -> None:
        """After a lone shell: comments, or the rest of a prompt; no further shell and no stray bracket."""
        again = self.find(pos)
        if again >= 0:
            self.fail_at(again, "a second shell; parse_many reads several", ("the end of the text",))
        self.pos = self.skip(pos)
        gap = self.text[pos : self.pos]
        if self.pos < len(self.text) and ("\n" not in gap or self.text[self.pos] in "}],;={["):
            self.unexpected(("the end of the shell's line",))

    # -- the shell

    def shell(self, start: int) -> Shell:
        """The shell at `start`."""
        self.frames.clear()
        self.pos = start
        name = scan.NAME.match(self.text, start)
        if not name:
            self.pos = start + 1
            self.unexpected(("a name, such as token.budget",))
        self.pos = self.skip(name.end())
        if not self.text.startswith("{", self.pos):
            self.unexpected(("'{'",))
        self.open("{", name[1], start)
        value: Value | None = None
        while self.frames:
            value = self.begin_item() if value is None else self.end_value(value)
        assert isinstance(value, Shell)
        return value

    def open(self, bracket: str, name: str = "", name_start: int = -1) -> None:
        if len(self.frames) >= MAX_DEPTH:
            self.fail_at(self.pos, f"brackets nest deeper than {MAX_DEPTH}")
        self.frames.append(_Frame(bracket, self.pos, self.pos, name, name_start))
        self.pos += 1

    def close(self) -> Value:
        """The finished container, its closing bracket read; the body of a shell gives the shell."""
        frame = self.frames.pop()
        self.pos += 1
        frame.gaps.append(self.text[frame.gap_from : self.pos])
        entries, gaps, span = tuple(frame.entries), tuple(frame.gaps), self.span(frame.start, self.pos)
        if frame.bracket == "[":
            return List(entries, gaps, span)
        body = Map(entries, gaps, span)
        if frame.name_start < 0:
            return body
        gap = self.text[frame.name_start + 1 + len(frame.name) : frame.start]
        return Shell(frame.name, body, gap, span=self.span(frame.name_start, self.pos))

    # -- items

    def begin_item(self) -> Value | None:
        """Read up to the next value: a leaf or a closed container is returned, an opened one gives None."""
        frame = self.frames[-1]
        self.pos = self.skip(self.pos)
        if frame.item < 0:
            if self.text.startswith(_CLOSE[frame.bracket], self.pos):
                return self.close()
            frame.item = self.pos
            self.read_key(frame)
        return self.begin_value(frame)

    def read_key(self, frame: _Frame) -> None:
        """The key of an item and its `=` or `:`, where there is one."""
        frame.key, frame.quoted, frame.head = None, False, ""
        key_and_assign = scan.key_at(self.text, self.pos)
        if not key_and_assign:
            return
        match, assign = key_and_assign
        frame.quoted = match[0][0] in "\"'“"
        frame.key = self.unquoted(match[0]) if frame.quoted else match[0]
        self.pos = self.skip(assign.end())
        frame.head = self.text[frame.item : self.pos]

    def unquoted(self, raw: str) -> str:
        try:
            return scan.unquote(raw)
        except ValueError as error:
            self.fail_at(self.pos, str(error))

    def begin_value(self, frame: _Frame) -> Value | None:
        char = self.text[self.pos : self.pos + 1]
        if char and char in "{[":
            self.open(char)
            return None
        if char and char in "\"'“":
            return self.string()
        run = scan.PHRASE.match(self.text, self.pos)
        if not run or scan.ARROW.match(self.text, self.pos):
            alone = frame.key is None and not frame.parts
            self.unexpected(("an entry", repr(_CLOSE[frame.bracket])) if alone else ("a value",))
        return self.phrase(run[0].rstrip())

    def string(self) -> Value:
        match = scan.QUOTED.match(self.text, self.pos)
        if not match:
            self.fail_at(
                self.pos, f"the string that begins with {self.text[self.pos]} is not closed", ("a closing quote",)
            )
        value, span = self.unquoted(match[0]), self.span(self.pos, match.end())
        self.long_string = span if "\n" in match[0] else None
        self.pos = match.end()
        return String(value, match[0], span)

    def phrase(self, raw: str) -> Value | None:
        """Bare text: a step by its name (its body is opened), or a leaf."""
        start, self.pos = self.pos, self.pos + len(raw)
        self.long_string = None
        if not scan.NAME.fullmatch(raw):
            self.check_end(start, raw)
            try:
                return scan.bare(raw, self.span(start, self.pos))
            except ValueError as error:
                self.fail_at(start, str(error))
        body = self.skip(self.pos)
        if not self.text.startswith("{", body):
            return Shell(raw[1:], span=self.span(start, self.pos))
        self.pos = body
        self.open("{", raw[1:], start)
        return None

    def check_end(self, start: int, raw: str) -> None:
        """`a=1 b=2`: the bare text that runs into an assignment lacks a comma (or is a key that needs quotes)."""
        assign = scan.ASSIGN.match(self.text, self.skip(self.pos))
        if not assign or "\n" in self.text[self.pos : assign.start()]:
            return
        *words, last = raw.split()
        if words:
            message = f"found {last[:40]!r} and {assign[0]!r} behind {' '.join(words)[:40]!r}"
            self.fail_at(start + raw.rindex(last), message, ("','",))
        expected = ("','", "a key (quote what is not a name)")
        self.fail_at(assign.start(), f"found {assign[0]!r} behind {raw[:40]!r}", expected)

    def end_value(self, value: Value) -> Value | None:
        """After a value: an arrow continues it, else the entry is done and a separator or the closing bracket
        follows."""
        frame = self.frames[-1]
        frame.parts.append(value)
        end, self.pos = self.pos, self.skip(self.pos)
        arrow = scan.ARROW.match(self.text, self.pos)
        if arrow:
            self.pos = self.skip(arrow.end())
            frame.arrows.append(self.text[end : self.pos])
            return None
        self.end_entry(frame, end)
        char = self.text[self.pos : self.pos + 1]
        if char and char in _SEPARATORS:
            self.pos += 1
            self.long_string = None
        elif char != _CLOSE[frame.bracket] and (not char or char in "}]:=" or "\n" not in self.text[end : self.pos]):
            self.unexpected(("','", repr(_CLOSE[frame.bracket])))
        return None

    def end_entry(self, frame: _Frame, end: int) -> None:
        value = frame.parts[0]
        if len(frame.parts) > 1:
            value = Chain(tuple(frame.parts), ("", *frame.arrows, ""), self.span(frame.parts[0].span.start, end))
        span = self.lines.span(frame.item, end)
        frame.entries.append(Entry(frame.key, value, frame.quoted, frame.head, span))
        frame.gaps.append(self.text[frame.gap_from : frame.item])
        frame.gap_from, frame.item = end, -1
        frame.parts, frame.arrows = [], []
