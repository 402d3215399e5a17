"""Long documents in pieces: chunks on sentence borders with exact token counts, processed one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fieldpack.checks import whole
from fieldpack.compress.counting import Counting, tokenizer_of
from fieldpack.compress.extract import cut_prefix
from fieldpack.compress.protect import Span
from fieldpack.compress.units import read_units
from fieldpack.errors import InputError
from fieldpack.protocols import Tokenizer

_CHARS_PER_TOKEN = 16  # more characters than a token ever holds in running text: a window to cut a long unit in


@dataclass(frozen=True, slots=True)
class Chunk:
    """`document[start:end]`, counted."""

    start: int
    end: int
    text: str
    tokens: int


@dataclass(frozen=True)
class ProgressiveResult:
    """Chunks, prompts and responses in order, and the response that `combine` made of them."""

    chunks: tuple[Chunk, ...]
    prompts: tuple[str, ...]
    responses: tuple[str, ...]
    combined: str


def progressive_loading(
    document: str, chunk_size: int = 1000, overlap: int = 100, tokenizer: Counting = None
) -> tuple[Chunk, ...]:
    """Chunks of at most `chunk_size` tokens each, which repeat up to `overlap` tokens of the chunk before.

    Chunks begin and end between sentences (list items, code blocks); only a unit that is longer than a chunk is cut,
    between words. Together they cover everything but white space. Raises InputError unless 0 <= overlap < chunk_size,
    or when a single character is more than a chunk.
    """
    whole("chunk_size", chunk_size, 1, 1 << 40)
    whole("overlap", overlap, 0, chunk_size - 1)
    counter = tokenizer_of(tokenizer)
    spans = [s for u in read_units(document) for s in _fitting(document, u.start, u.end, chunk_size, counter)]
    cut = _Chunking(document, spans, chunk_size, overlap, counter)
    chunks: list[Chunk] = []
    first = new = 0  # the chunk starts at span `first`; spans before `new` are overlap
    while new < len(spans):
        last = cut.last(first, new)
        start, end = spans[first][0], spans[last][1]
        chunks.append(Chunk(start, end, document[start:end], counter.count(document[start:end])))
        new = last + 1
        if new < len(spans):
            first = cut.next_first(first, new)
    return tuple(chunks)


def process_progressively(
    document: str,
    initial_prompt: str,
    respond: Callable[[str], str],
    summarize: Callable[[Sequence[str]], str],
    combine: Callable[[Sequence[str]], str] = "\n\n".join,
    *,
    chunk_size: int = 1000,
    overlap: int = 100,
    tokenizer: Counting = None,
) -> ProgressiveResult:
    """Ask `respond` about every chunk in turn; from the second on the prompt carries summarize(responses so far)."""
    chunks = progressive_loading(document, chunk_size, overlap, tokenizer)
    prompts: list[str] = []
    responses: list[str] = []
    for chunk in chunks:
        context = f"{initial_prompt}\n\nKey information so far: {summarize(responses)}" if responses else initial_prompt
        prompts.append(f"{context}\n\nProcess this section of the document:\n{chunk.text}")
        responses.append(respond(prompts[-1]))
    return ProgressiveResult(chunks, tuple(prompts), tuple(responses), combine(responses))


@dataclass(frozen=True)
class _Chunking:
    """Spans of a document that go into chunks of at most `size` tokens, which repeat at most `overlap` tokens."""

    document: str
    spans: Sequence[Span]
    size: int
    overlap: int
    counter: Tokenizer

    def last(self, first: int, new: int) -> int:
        """The last span that still fits a chunk from span `first`; at least `new`, which is known to fit."""
        low, step = new, 1
        while low + step < len(self.spans) and self._tokens(first, low + step) <= self.size:
            low, step = low + step, step * 2
        while step > 1:
            step //= 2
            if low + step < len(self.spans) and self._tokens(first, low + step) <= self.size:
                low += step
        return low

    def next_first(self, first: int, new: int) -> int:
        """The first span of the next chunk: as far before `new` as overlap and chunk size allow, and after `first`."""
        start = new
        while start - 1 > first:
            if self._tokens(start - 1, new - 1) > self.overlap or self._tokens(start - 1, new) > self.size:
                break
            start -= 1
        return start

    def _tokens(self, first: int, last: int) -> int:
        return self.counter.count(self.document[self.spans[first][0] : self.spans[last][1]])


def _fitting(document: str, start: int, end: int, size: int, counter: Tokenizer) -> list[Span]:
    """The range itself, or its pieces of at most `size` tokens."""
    if counter.count(document[start:end]) <= size:
        return [(start, end)]
    pieces: list[Span] = []
    while start < end:
        window = document[start : min(end, start + _CHARS_PER_TOKEN * size)]
        taken = len(cut_prefix(window, size, counter)) or _hard_cut(window, size, counter)
        pieces.append((start, start + taken))
        start += taken
        start += (
            len(document[start:end]) - len(document[start:end].lstrip()) if document[start : start + 1].isspace() else 0
        )
    return pieces


def _hard_cut(text: str, size: int, counter: Tokenizer) -> int:
    """Characters of a beginning that fits where no word border does."""
    taken = min(len(text), size)
    while taken > 1 and counter.count(text[:taken]) > size:
        taken -= max(1, taken // 8)
    if counter.count(text[:taken]) > size:
        raise InputError(f"one character of the document is more than chunk_size={size} tokens; give larger chunks")
    return taken
