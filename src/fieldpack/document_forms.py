"""One door for documents: strings, `Document`, dicts, and the documents of LangChain, LlamaIndex and Haystack, which
are known by their attributes, so that none of the three is imported."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

from fieldpack.errors import InputError
from fieldpack.types import Document

KEYS = ("text", "id", "title", "metadata", "score")
"""What a dict may say of a document; `text` it must."""
_ALLOWED = (
    f"give a string, a fieldpack.Document, a dict with {', '.join(KEYS)} (text is needed), or a document of "
    "LangChain, LlamaIndex or Haystack, also as the dict that it writes"
)


class _PageContent(Protocol):
    """LangChain's Document."""

    @property
    def page_content(self) -> str: ...


class _Content(Protocol):
    """Haystack's Document."""

    @property
    def content(self) -> str | None: ...


class _Node(Protocol):
    """A node of LlamaIndex."""

    def get_content(self) -> str: ...


class _ScoredNode(Protocol):
    """LlamaIndex's NodeWithScore."""

    @property
    def node(self) -> Any: ...


DocumentForm = str | Document | Mapping[str, Any] | _PageContent | _Content | _Node | _ScoredNode
"""What counts as a document wherever Python takes one."""


def is_document(value: object) -> bool:
    """Whether a value is one document in any form, and no collection of them."""
    return isinstance(value, str | Document | Mapping) or _is_framework(value)


def document_of(value: object, number: int) -> Document:
    """The document. number: names it doc-N where it has no id, and in errors. A framework's title is the `title` of its
    metadata. Raises InputError for what is no document, for unknown keys of a dict and for one without text."""
    if isinstance(value, Document):
        return value
    if isinstance(value, str):
        return Document(f"doc-{number}", value)
    if isinstance(value, Mapping):
        return _of_dict(value, number)
    if _is_framework(value):
        return _of_framework(value, number)
    raise InputError(f"document {number} is a {type(value).__name__}; {_ALLOWED}")


_HAYSTACK = ("id", "content", "blob", "meta", "score", "embedding", "sparse_embedding")


def with_own_keys(value: Any) -> Any:
    """The dict that a document of LangChain, Haystack or LlamaIndex writes of itself (`model_dump`, `to_dict`), as one
    with KEYS; any other value as it is. Haystack's flat form has its metadata beside the content."""
    if not isinstance(value, Mapping):
        return value
    if "page_content" in value:
        return _with_keys(value, value["page_content"], value.get("metadata"), value.get("id"))
    if "content" in value and ("meta" in value or "blob" in value):
        beside = {key: v for key, v in value.items() if key not in _HAYSTACK}
        return _with_keys(value, value["content"], value.get("meta", beside), value.get("id"))
    if isinstance(value.get("node"), Mapping):
        inner = with_own_keys(value["node"])
        return {**inner, "score": _score_of(value.get("score"))} if isinstance(inner, Mapping) else value
    if "id_" in value and "text" in value:
        return _with_keys({}, value["text"], value.get("metadata"), value["id_"])
    return value


def _with_keys(value: Mapping[str, Any], text: Any, metadata: Any, name: Any) -> dict[str, Any]:
    known = {} if metadata is None else metadata
    title = known.get("title") if isinstance(known, Mapping) else None
    score = _score_of(value.get("score"))
    named = title if isinstance(title, str) else ""
    return {"text": text, "id": name, "title": named, "metadata": known, "score": score}


def _of_dict(value: Mapping[str, Any], number: int) -> Document:
    value = with_own_keys(value)
    if unknown := [str(key) for key in value if key not in KEYS]:
        raise InputError(
            f"document {number} has the key {unknown[0]!r}; allowed: {', '.join(KEYS)} (what else is known of it goes "
            "into metadata)"
        )
    text, name, title = value.get("text"), value.get("id"), value.get("title")
    if not isinstance(text, str):
        found = "has no text" if "text" not in value else f"has a text that is a {type(text).__name__}"
        raise InputError(f"document {number} {found}; {_ALLOWED}")
    metadata = value.get("metadata")
    return Document(
        id=f"doc-{number}" if name is None else name,  # checked with those of Document
        text=text,
        title="" if title is None else title,
        metadata={} if metadata is None else metadata,
        score=value.get("score"),
    )


def _is_framework(value: object) -> bool:
    scored = hasattr(value, "node") and hasattr(value, "score")
    return scored or any(hasattr(value, name) for name in ("page_content", "get_content")) or _is_haystack(value)


def _is_haystack(value: object) -> bool:
    return hasattr(value, "content") and hasattr(value, "meta")


def _of_framework(value: Any, number: int) -> Document:
    score = getattr(value, "score", None)
    value = value.node if hasattr(value, "node") else value
    name = getattr(value, "node_id", None) or getattr(value, "id", None)
    metadata = value.meta if _is_haystack(value) else getattr(value, "metadata", None)
    metadata = metadata if isinstance(metadata, Mapping) else {}
    text = _text_of(value)
    if not isinstance(text, str):
        raise InputError(f"document {number}, a {type(value).__name__}, has no text; leave it out, or give its text")
    title = metadata.get("title")
    return Document(
        id=str(name) if name else f"doc-{number}",
        text=text,
        title=title if isinstance(title, str) else "",
        metadata=dict(metadata),
        score=_score_of(score),
    )


def _text_of(value: Any) -> Any:
    if hasattr(value, "page_content"):
        return value.page_content
    return value.content if _is_haystack(value) else value.get_content()


def _score_of(score: Any) -> float | None:
    """A retriever's score; None for what is none (NaN, infinite, no number): frameworks hand out such."""
    try:
        number = None if score is None or isinstance(score, bool) else float(score)
    except (TypeError, ValueError):
        return None
    return number if number is not None and math.isfinite(number) and abs(number) < 1e300 else None
