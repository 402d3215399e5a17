"""Exact token counts, offline: o200k_base and cl100k_base from shipped ranks, Hugging Face files, any callable.

Special-token text in a document counts as plain text, never as the special token and never as an error.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import operator
import re
import threading
import types
from binascii import a2b_base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldpack.assets import verified
from fieldpack.checks import MOST_TOKENS, shown
from fieldpack.errors import AssetError, InputError, UnknownNameError
from fieldpack.protocols import Tokenizer
from fieldpack.text.truncate import bisect, fit
from fieldpack.types import Document, IntArray

if TYPE_CHECKING:
    import tiktoken
    import tokenizers

SHIPPED = ("o200k_base", "cl100k_base")
_RANKS_OF = {"o200k_base": "o200k_base", "o200k_harmony": "o200k_base", "cl100k_base": "cl100k_base"}
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONG_WHITE = 20_000  # tiktoken's pattern engine runs out of stack on some hundred thousand white characters
_MANY = 1024
"""Texts that are counted in blocks of _BLOCK_CHARS characters."""
_BLOCK_CHARS, _MARK = 200_000, "<|endoftext|>"
_lock = threading.Lock()


def tokenizer(spec: str | Path | Callable[[str], int] | Tokenizer) -> Tokenizer:
    """The tokenizer that `spec` names.

    - "o200k_base", "cl100k_base" (and "o200k_harmony"): from shipped ranks, no network;
    - an OpenAI model name ("gpt-4o") or another tiktoken encoding ("p50k_base", fetched by tiktoken once);
    - the path of a Hugging Face tokenizer.json, or of the folder that holds one;
    - any callable from text to a number of tokens, or an object with `name`, `count` and `count_many`, returned as is.

    Nothing is loaded before the first count. Raises UnknownNameError, or InputError for a file that is no tokenizer.
    """
    if isinstance(spec, Path):
        return _from_file(spec)
    if isinstance(spec, str):
        return _from_name(spec)
    if isinstance(spec, Tokenizer):
        return spec
    if callable(spec):
        return CallableTokenizer(spec)
    raise InputError(f"tokenizer: found {type(spec).__name__}; allowed: a name, a path, a callable or a Tokenizer")


def check_text(documents: Sequence[Document]) -> None:
    """Raises InputError for the first document whose text, title or id holds a surrogate, see `check_string`."""
    for document in documents:
        check_string(f"document {document.id!r}", document.text)
        check_string(f"the title of document {document.id!r}", document.title)
        check_string(f"the document id {document.id!r}", document.id)


def check_string(what: str, text: str) -> None:
    """Raises InputError for a text that holds a surrogate, which no tokenizer, no file and no JSON can take."""
    found = None if text.isascii() else _SURROGATE.search(text)
    if found:
        raise InputError(
            f"{what}: lone surrogate U+{ord(found[0]):04X} at character {found.start()}; text "
            "must be valid Unicode: decode it with errors='replace', or mend it with "
            "text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')"
        )


def _without_surrogates(text: str) -> str:
    """Pairs become their character, lone surrogates U+FFFD: what tiktoken itself counts."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _distinct(texts: Sequence[str], count: Callable[[str], int]) -> IntArray:
    """(n,) counts, each distinct text counted once."""
    seen: dict[str, int] = {}
    for text in texts:
        if text not in seen:
            seen[text] = count(text)
    return np.array([seen[text] for text in texts], dtype=np.int64)


@dataclass(frozen=True)
class TiktokenTokenizer:
    """A tiktoken encoding by name, built at the first count and once per process."""

    name: str

    @property
    def encoding(self) -> tiktoken.Encoding:
        return _encoding(self.name)

    def warm(self) -> TiktokenTokenizer:
        """Builds the encoding now; returns itself."""
        _encoding(self.name)
        return self

    def count(self, text: str) -> int:
        return _count(self.encoding, text)

    def count_many(self, texts: Sequence[str]) -> IntArray:
        if len(texts) < _MANY or _MARK not in self.encoding.special_tokens_set:
            return _distinct(texts, functools.partial(_count, self.encoding))
        return _counted_jointly(self.encoding, texts)

    def prefix(self, text: str, max_tokens: int) -> int:
        """The largest end found with count(text[:end]) <= max_tokens; splits no grapheme cluster if avoidable."""
        encoding = self.encoding
        return fit(self.count, text, max_tokens, lambda head: _ends(encoding, head, max_tokens))


def count_in_background(tokenizer: Tokenizer, texts: Sequence[str]) -> Callable[[], IntArray]:
    """Starts counting many texts on another core, where the tokenizer is one of those here that work without holding
    the interpreter; the function that comes back waits for the counts, or counts then."""
    if len(texts) < _MANY or not isinstance(tokenizer, TiktokenTokenizer | HuggingFaceTokenizer):
        return functools.partial(tokenizer.count_many, texts)
    from concurrent.futures import ThreadPoolExecutor  # few packs are so large

    executor = ThreadPoolExecutor(1, "fieldpack-count")
    started = executor.submit(tokenizer.count_many, texts)
    executor.shutdown(wait=False)
    return started.result


def _counted_jointly(encoding: tiktoken.Encoding, texts: Sequence[str]) -> IntArray:
    """(n,) counts of many texts, a block of them in one call: between special tokens each is read as if it were alone,
    and other threads work meanwhile."""
    mark, token = _MARK, encoding.eot_token
    out = np.zeros(len(texts), np.int64)
    first, size = 0, 0
    for i, text in enumerate(texts):
        size += len(text)
        if size < _BLOCK_CHARS and i + 1 < len(texts):
            continue
        block = texts[first : i + 1]
        joined = mark.join(block) + mark
        ends = np.zeros(0, np.int64)
        if max(map(len, block)) <= _LONG_WHITE and (joined.isascii() or not _SURROGATE.search(joined)):
            read = encoding.encode_to_numpy(joined, allowed_special={mark}, disallowed_special=())
            ends = np.flatnonzero(read == token)
        # Where a text holds the mark itself, or is very long, each is counted alone.
        alone = len(ends) != len(block)
        out[first : i + 1] = [_count(encoding, t) for t in block] if alone else np.diff(ends, prepend=-1) - 1
        first, size = i + 1, 0
    return out


def _count(encoding: tiktoken.Encoding, text: str) -> int:
    if len(text) > _LONG_WHITE and _has_long_white(text):
        return _count_by_pieces(encoding, text)
    return len(encoding.encode_ordinary(text))


def _has_long_white(text: str) -> bool:
    """True when some aligned window of _LONG_WHITE characters is all white: a run twice as long holds one."""
    return any(text[i : i + _LONG_WHITE].isspace() for i in range(0, len(text), _LONG_WHITE))


def _count_by_pieces(encoding: tiktoken.Encoding, text: str) -> int:
    """The same count by tiktoken's own split pattern, in an engine without a stack (as in tiktoken._educational)."""
    import regex

    text = _without_surrogates(text)
    pieces = regex.findall(encoding._pat_str, text)
    return sum(len(encoding._encode_single_piece(piece)) for piece in pieces)


def _ends(encoding: tiktoken.Encoding, head: str, max_tokens: int) -> int:
    """Where the first max_tokens tokens of `head` end, in whole characters."""
    if len(head) > _LONG_WHITE and _has_long_white(head):
        return min(len(head), max_tokens)
    tokens = encoding.encode_ordinary(head)
    return len(encoding.decode_bytes(tokens[:max_tokens]).decode("utf-8", "ignore"))


@functools.cache
def _built(name: str) -> tiktoken.Encoding:
    import tiktoken

    if name in _RANKS_OF:
        return tiktoken.Encoding(**_parameters(name))
    try:
        return tiktoken.get_encoding(name)
    except Exception as error:  # tiktoken raises what its HTTP library raises
        raise InputError(
            f"the ranks of encoding {name!r} are not shipped and could not be fetched ({type(error).__name__}); "
            f"shipped: {', '.join(SHIPPED)}; or pass the path of a Hugging Face tokenizer.json"
        ) from error


def _encoding(name: str) -> tiktoken.Encoding:
    with _lock:  # two threads must not both spend half a second on it
        return _built(name)


def _parameters(name: str) -> dict[str, Any]:
    """What tiktoken's own constructor for `name` gives, with the shipped ranks in place of its download."""
    from tiktoken_ext import openai_public  # type: ignore[import-untyped]

    def ranks(_url: str, expected_hash: str | None = None) -> dict[bytes, int]:
        return _shipped_ranks(_RANKS_OF[name], expected_hash)

    # The constructor is run in a namespace of its own, where the loader is ours: tiktoken's module stays as it is.
    space = {**vars(openai_public), "load_tiktoken_bpe": ranks}
    space.update({n: types.FunctionType(f.__code__, space) for n, f in openai_public.ENCODING_CONSTRUCTORS.items()})
    parameters: dict[str, Any] = space[name]()
    return parameters


def _shipped_ranks(name: str, expected_hash: str | None) -> dict[bytes, int]:
    """{token bytes: rank}; the file is compared with the checksum that tiktoken itself pins."""
    raw = gzip.decompress(verified(f"tokenizers/{name}.tiktoken.gz").read_bytes())
    if expected_hash and hashlib.sha256(raw).hexdigest() != expected_hash:
        raise AssetError(
            f"the shipped ranks of {name} are not those that tiktoken expects; update fieldpack or tiktoken"
        )
    fields = raw.split()
    # The pinned file lists the ranks 0, 1, 2, ... in order: counting them is a third of the time of parsing them.
    return dict(zip(map(a2b_base64, fields[::2]), range(len(fields) // 2), strict=True))


@dataclass(frozen=True, eq=False)
class HuggingFaceTokenizer:
    """A tokenizer.json, without the special tokens that a model would add, and with neither truncation nor padding."""

    name: str
    model: tokenizers.Tokenizer

    def count(self, text: str) -> int:
        return len(self.model.encode(_safe(text), add_special_tokens=False).ids)

    def count_many(self, texts: Sequence[str]) -> IntArray:
        distinct = list(dict.fromkeys(texts))
        encoded = self.model.encode_batch_fast([_safe(t) for t in distinct], add_special_tokens=False)
        counts = {t: len(e.ids) for t, e in zip(distinct, encoded, strict=True)}
        return np.array([counts[t] for t in texts], dtype=np.int64)

    def prefix(self, text: str, max_tokens: int) -> int:
        """The largest end found with count(text[:end]) <= max_tokens; splits no grapheme cluster if avoidable."""

        def guess(head: str) -> int:
            offsets = self.model.encode(_safe(head), add_special_tokens=False).offsets
            return int(offsets[max_tokens - 1][1]) if len(offsets) >= max_tokens else len(head)

        return fit(self.count, text, max_tokens, guess)


def _safe(text: str) -> str:
    return text if text.isascii() or not _SURROGATE.search(text) else _SURROGATE.sub("\ufffd", text)


@dataclass(frozen=True, eq=False)
class CallableTokenizer:
    """Any function from a text to its number of tokens."""

    function: Callable[[str], int]

    @property
    def name(self) -> str:
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    def count(self, text: str) -> int:
        found = self.function(text)
        try:
            tokens = operator.index(found)
        except TypeError:
            tokens = -1
        if not 0 <= tokens <= MOST_TOKENS or isinstance(found, bool):
            raise InputError(f"token counter {self.name!r} returned {shown(found)}; allowed: a whole number >= 0")
        return tokens

    def count_many(self, texts: Sequence[str]) -> IntArray:
        return _distinct(texts, self.count)

    def prefix(self, text: str, max_tokens: int) -> int:
        """The largest end found with count(text[:end]) <= max_tokens; splits no grapheme cluster if avoidable."""
        return fit(self.count, text, max_tokens, bisect(self.count, max_tokens))


def _from_name(name: str) -> Tokenizer:
    from tiktoken import list_encoding_names
    from tiktoken.model import encoding_name_for_model

    if name in _RANKS_OF or name in list_encoding_names():
        return TiktokenTokenizer(name)
    try:
        return TiktokenTokenizer(encoding_name_for_model(name))
    except KeyError:
        pass
    if name.endswith(".json") or Path(name).exists():
        return _from_file(Path(name))
    raise UnknownNameError(
        "encoding",
        name,
        {*SHIPPED, *list_encoding_names()},
        f"Shipped: {', '.join(SHIPPED)}; also OpenAI model names ('gpt-4o') and paths of tokenizer.json files.",
    )


def _from_file(path: Path) -> Tokenizer:
    import tokenizers

    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"no tokenizer at {path}; give the path of a Hugging Face tokenizer.json")
    try:
        model = tokenizers.Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises bare Exception
        raise InputError(f"{file} is not a Hugging Face tokenizer.json: {error}") from error
    model.no_truncation()
    model.no_padding()
    model.encode_special_tokens = True  # "</s>" in a document is text
    return HuggingFaceTokenizer(file.as_posix(), model)
