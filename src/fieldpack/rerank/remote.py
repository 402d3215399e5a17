"""Rerankers over HTTP: text-embeddings-inference (TEI) /rerank, and the form of Cohere and Jina at /v1/rerank."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any

import httpx

from fieldpack.embed.factory import KEY_VARIABLE
from fieldpack.embed.remote_call import Caller, Refused
from fieldpack.embed.remote_server import checked_key, parsed_url, shown_url
from fieldpack.errors import EmbeddingError

_TEI_BATCH = 32
"""Texts in one request to TEI: what its --max-client-batch-size is by default."""


class RemoteReranker:
    """Scores by a server.

    url: ".../rerank" of TEI ({query, texts} -> [{index, score}]), or ".../v1/rerank", ".../v2/rerank" of Cohere, Jina
    and what speaks like them ({model, query, documents} -> {results: [{index, relevance_score}]}). model: the name to
    send. api_key: None is the environment's FIELDPACK_API_KEY; it is in no message. timeout: seconds of one request.
    Raises InputError for a URL or key that cannot be one, EmbeddingError when the server fails.
    """

    def __init__(self, url: str, model: str | None = None, api_key: str | None = None, timeout: float = 10.0) -> None:
        self._arguments = (url, model, api_key, timeout)
        self._url, login = parsed_url(url)
        self.name = shown_url(url)
        self._model = model
        path = self._url.path.rstrip("/")
        self.cohere = path.endswith(("/v1/rerank", "/v2/rerank"))
        key = checked_key(api_key if api_key is not None else os.environ.get(KEY_VARIABLE))
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        client = httpx.Client(headers=headers, auth=login, timeout=timeout, follow_redirects=False)
        self._caller = Caller(client, self.name, secret=key, timeout=timeout, retries=1, max_wait=1.0)

    def __reduce__(self) -> tuple[type[RemoteReranker], tuple[Any, ...]]:
        return RemoteReranker, self._arguments

    def __repr__(self) -> str:
        return f"RemoteReranker({self.name!r})"

    def close(self) -> None:
        """Closes the connections; a later call fails."""
        self._caller.client.close()

    def rerank(self, query: str, texts: Sequence[str], stop: threading.Event | None = None) -> list[float]:
        """One score for each text."""
        step = len(texts) if self.cohere else _TEI_BATCH
        out: list[float] = []
        for first in range(0, len(texts), max(step, 1)):
            out += self._scores(query, list(texts[first : first + step]), stop)
        return out

    def _scores(self, query: str, texts: list[str], stop: threading.Event | None) -> list[float]:
        try:
            answer = self._caller.ask("POST", self._url, self._payload(query, texts), stop=stop)
        except Refused as refused:
            raise self._caller.refusal(refused) from None
        items: Any = answer.get("results") if isinstance(answer, dict) else answer
        key = "relevance_score" if self.cohere else "score"
        try:
            by_index = {int(item["index"]): float(item[key]) for item in items}
            return [by_index[k] for k in range(len(texts))]
        except (TypeError, KeyError, ValueError):
            raise EmbeddingError(
                f"{self.name} answered with no score for each of {len(texts)} texts (expected index and {key}); check "
                "that the URL is a reranker's: /rerank is TEI's form, /v1/rerank that of Cohere and Jina"
            ) from None

    def _payload(self, query: str, texts: list[str]) -> dict[str, object]:
        if not self.cohere:
            return {"query": query, "texts": texts, "raw_scores": True, "truncate": True}
        named = {"model": self._model} if self._model is not None else {}
        return {**named, "query": query, "documents": texts, "top_n": len(texts), "return_documents": False}
