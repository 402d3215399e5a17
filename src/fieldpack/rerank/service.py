"""RerankService: a reranker in batches, within a time, with a cache, and never in the way of a pack."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fieldpack.checks import number, whole
from fieldpack.embed.custom import bounded
from fieldpack.errors import EmbeddingError, InputError
from fieldpack.rerank.model import Rerank, function_of, is_rerank_url

TIMEOUT = 10.0
"""Seconds that one pack waits for its reranker."""
_BATCH = 32
_CACHED = 20_000
"""Scores kept: 64 bytes of key and a number each, about 3 MB."""


@dataclass(frozen=True)
class Reranked:
    """scores: one for each text, None for what was not read. problem: why some were not, "" where all were."""

    scores: tuple[float | None, ...]
    problem: str = ""


def is_reranker(model: object) -> bool:
    """Whether `model` reads query and text together; else it may be an embedder. Loads nothing."""
    return isinstance(model, RerankService) or is_rerank_url(model) or function_of(model) is not None


class RerankService:
    """A reranker for packs; threads may share one.

    model: a function (query, texts) -> scores; an object with such a method `rerank`; a sentence-transformers
        CrossEncoder; a langchain-core decision model; an http(s) URL that ends in /rerank (TEI) or /v1/rerank (Cohere,
        Jina). Scores are of any scale, the higher the better.
    timeout: seconds for all that one query reads; what is not read by then has no score. batch_size: texts in a call.
    remote_model, api_key: for URLs, see `fieldpack.rerank.remote`.

    A model that fails makes no pack fail: the result says what went wrong (`Reranked.problem`). Raises InputError for
    what is no reranker, SettingsError for sizes out of range.
    """

    def __init__(
        self,
        model: Any,
        *,
        timeout: float = TIMEOUT,
        batch_size: int = _BATCH,
        remote_model: str | None = None,
        api_key: str | None = None,
    ) -> None:
        number("timeout", timeout, 1e-3, 1e6)
        whole("batch_size", batch_size, 1, 1_000_000)
        if is_rerank_url(model):
            from fieldpack.rerank.remote import RemoteReranker

            model = RemoteReranker(model, remote_model, api_key, timeout)
        if function_of(model) is None:
            raise InputError(
                f"reranker is a {type(model).__name__}, which cannot rerank; give a function (query, texts) -> scores, "
                "a CrossEncoder, a decision model, or a URL that ends in /rerank"
            )
        self.model, self.timeout, self.batch_size = model, timeout, batch_size
        named: Any = model if hasattr(model, "__qualname__") else type(model)
        self.name: str = getattr(model, "name", None) or f"{named.__module__}.{named.__qualname__}"
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, float] = OrderedDict()

    def __repr__(self) -> str:
        return f"RerankService({self.name!r})"

    def __getstate__(self) -> dict[str, Any]:
        """Without what was cached, for another process."""
        return {key: value for key, value in vars(self).items() if key not in ("_lock", "_known")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._start()

    def scores(self, query: str, texts: Sequence[str]) -> Reranked:
        """Scores of texts, read in the order in which they stand, so that the best candidates go first."""
        keys = [_key(query, text) for text in texts]
        with self._lock:
            known = {key: self._known[key] for key in keys if key in self._known}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        problem = self._read(query, missing, known)
        return Reranked(tuple(known.get(key) for key in keys), problem)

    def _read(self, query: str, missing: dict[bytes, str], known: dict[bytes, float]) -> str:
        """Reads texts into `known`, batch after batch; what went wrong, or ""."""
        deadline = time.monotonic() + self.timeout
        function, keys = function_of(self.model), list(missing)
        assert function is not None
        for first in range(0, len(keys), self.batch_size):
            batch = keys[first : first + self.batch_size]
            left = deadline - time.monotonic()
            if left <= 0:
                return f"it read {first} of {len(keys)} passages in {self.timeout:g} s"
            try:
                self._keep(batch, self._batch(function, query, [missing[key] for key in batch], left), known)
            except Exception as error:  # whatever a model does wrong, the pack is made
                detail = str(error) if isinstance(error, EmbeddingError) else f"{type(error).__name__}: {error}"
                return " ".join(detail.split())[:300]
        return ""

    def _batch(self, function: Rerank, query: str, texts: list[str], left: float) -> list[float]:
        raw = bounded(lambda: function(query, texts), left, self.name)
        out = np.asarray(raw, np.float64)
        if out.shape == (len(texts), 1):
            out = out[:, 0]
        if out.shape != (len(texts),) or not np.isfinite(out).all():
            raise EmbeddingError(
                f"it gave an array of shape {out.shape} for {len(texts)} texts; expected a finite number for each"
            )
        return [float(x) for x in out]

    def _keep(self, keys: Sequence[bytes], scores: Sequence[float], known: dict[bytes, float]) -> None:
        with self._lock:
            for key, score in zip(keys, scores, strict=True):
                known[key] = self._known[key] = score
            while len(self._known) > _CACHED:
                self._known.popitem(last=False)


def _key(query: str, text: str) -> bytes:
    digest = hashlib.blake2b(digest_size=24)
    for part in (query, text):
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.digest()
