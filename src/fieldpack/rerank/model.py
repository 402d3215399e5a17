"""What a reranker is: a function of a query and texts to scores, and how one is recognised."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from fieldpack.errors import InputError

Rerank = Callable[[str, Sequence[str]], Any]
"""Called with a query and texts; gives one number for each text, any scale, the higher the better."""
_QUESTION = "Does this text help to answer the question?"


def is_rerank_url(model: object) -> bool:
    """Whether it is the address of a reranker: its path ends in /rerank."""
    return isinstance(model, str) and bool(re.match(r"https?://", model, re.I)) and _path(model).endswith("/rerank")


def _path(url: str) -> str:
    return urlsplit(url).path.rstrip("/")


def function_of(model: object) -> Rerank | None:
    """The function of `model` from (query, texts) to scores, or None when it is no reranker but may embed.

    An object with `rerank(query, texts)`; a sentence-transformers CrossEncoder (`predict` of pairs, and `rank`); a
    langchain-core decision model (`invoke` of {"state", "questions"}); a function of two parameters.
    """
    if isinstance(model, str) or hasattr(model, "embed") or hasattr(model, "encode"):
        return None
    method: Rerank | None = getattr(model, "rerank", None)
    if callable(method):
        return method
    if callable(getattr(model, "predict", None)) and callable(getattr(model, "rank", None)):
        return _by_pairs(model)
    if callable(getattr(model, "_classify", None)) and callable(getattr(model, "invoke", None)):
        return _by_decisions(model)
    return model if callable(model) and _takes_two(model) else None


def _by_pairs(model: Any) -> Rerank:
    """Of a cross-encoder: `predict` reads (query, text) pairs."""
    return lambda query, texts: model.predict([(query, text) for text in texts], show_progress_bar=False)


def _by_decisions(model: Any) -> Rerank:
    """Of a decision model: the probability of yes (`Noul`) for each text, with query and text as its state."""

    def scores(query: str, texts: Sequence[str]) -> list[float]:
        from langchain_core.decisions import Noul

        question = {"relevant": Noul(instructions=_QUESTION)}
        states = [{"state": {"question": query, "text": text}, "questions": question} for text in texts]
        return [float(answer.nouls["relevant"].noul) for answer in model.batch(states)]

    return scores


def _takes_two(function: Any) -> bool:
    """Whether a function has two parameters without a default; one embeds texts. Raises InputError for none, or more
    than two."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p for p in parameters if p.kind in positional and p.default is inspect.Parameter.empty]
    if len(needed) > 2:
        raise InputError(
            f"reranker is a function of {len(needed)} parameters; give one of (query, texts) that returns a score for "
            "each text, or an embedder of (texts)"
        )
    return len(needed) == 2
