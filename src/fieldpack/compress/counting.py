"""The tokenizer that compression counts with."""

from __future__ import annotations

from collections.abc import Callable

from fieldpack.protocols import Tokenizer

Counting = Tokenizer | Callable[[str], int] | str | None
"""A Tokenizer, a function text -> tokens, a name such as "o200k_base", or None for o200k_base."""


def tokenizer_of(spec: Counting) -> Tokenizer:
    """What `spec` means; nothing is loaded before the first count."""
    from fieldpack.text.tokens import tokenizer

    return tokenizer("o200k_base" if spec is None else spec)
