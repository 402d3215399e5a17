"""EmbeddingService: one class for every source of vectors. It batches, embeds each text once, checks and caches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldpack.checks import number, whole
from fieldpack.embed.custom import failure
from fieldpack.embed.factory import Options, kind_of, make_embedder, name_of
from fieldpack.embed.validate import RowError, blank_row, check_texts, is_blank, unit_rows
from fieldpack.errors import FieldpackError
from fieldpack.protocols import Embedder, Progress
from fieldpack.types import FloatArray

if TYPE_CHECKING:
    from fieldpack.embed.cache import VectorCache
    from fieldpack.embed.static import StaticEmbedder

_CHUNK = 2048
"""Texts per call of the embedder when there is progress to show or a cache to fill."""


class EmbeddingService:
    """Texts to unit float32 rows by the embedder of `model`. Construction loads nothing; threads may share a service.

    model: "static" (the table that ships with fieldpack) | "minilm" (all-MiniLM-L6-v2: ONNX, else torch) |
        "cascade" ("static" with a `reranker`) | a folder | a Hugging Face name owner/model |
        an http(s) URL (OpenAI-compatible or TEI) | an object with embed, encode or embed_documents |
        a function from list[str] to rows.
    second: the reranker of "cascade": any of the above, or an EmbeddingService.
    device: "auto" (cuda, then mps, then cpu) or a torch device name; for transformers only.
    cache: None, or the path of an SQLite file that keeps vectors between runs (max_cache_bytes bounds it).
    batch_size: texts per forward pass or request; None lets the embedder choose.
    progress: called as progress("embed", done, total) from the thread that calls embed.
    timeout: seconds for one request (remote; None is 60) or one call (objects and functions; None waits for ever).
    api_key, remote_model, concurrency, tokens, max_input_tokens: for URLs. The key (None: the environment's
        FIELDPACK_API_KEY) appears in no message. `tokens` counts one text as the remote model does (without it, UTF-8
        bytes stand in as the safe upper bound).
    allow_hub, allow_remote: False refuses hub names and URLs, for services whose callers choose the model.

    Raises at construction: UnknownNameError, InputError; when embedding: EmbeddingError, MissingExtraError, AssetError.
    """

    def __init__(
        self,
        model: Any = "static",
        device: str = "auto",
        cache: str | Path | None = None,
        *,
        batch_size: int | None = None,
        progress: Progress | None = None,
        timeout: float | None = None,
        api_key: str | None = None,
        remote_model: str | None = None,
        allow_hub: bool = True,
        allow_remote: bool = True,
        tokens: Callable[[str], int] | None = None,
        max_input_tokens: int | None = None,
        concurrency: int = 4,
        max_cache_bytes: int | None = None,
        second: Any = "minilm",
    ) -> None:
        if batch_size is not None:
            whole("batch_size", batch_size, 1, 1_000_000)
        if timeout is not None:
            number("timeout", timeout, 1e-3, 1e9)
        whole("concurrency", concurrency, 1, 10_000)
        self.kind = kind_of(model)
        self.name = name_of(model)
        self.progress = progress
        if not isinstance(second, EmbeddingService):
            kind_of(second)
        self._second = second if self.kind == "cascade" else None
        if self.kind == "cascade":
            self.kind, model = "static", "static"
        self._model, self._cache_path, self._max_cache_bytes = model, cache, max_cache_bytes
        self._options = Options(
            device=device,
            batch_size=batch_size,
            timeout=timeout,
            api_key=api_key,
            remote_model=remote_model,
            allow_hub=allow_hub,
            allow_remote=allow_remote,
            tokens=tokens,
            max_input_tokens=max_input_tokens,
            concurrency=concurrency,
        )
        if (self.kind == "hub" and not allow_hub) or (self.kind == "remote" and not allow_remote):
            make_embedder(model, self._options)
        self._start()

    def _start(self) -> None:
        self._lock = threading.RLock()
        self._embedder: Embedder | None = None
        self._cache: VectorCache | None = None
        self._reranker: EmbeddingService | None = None

    def __repr__(self) -> str:
        return f"EmbeddingService({self.name!r}, device={self._options.device!r})"

    def __getstate__(self) -> dict[str, Any]:
        """The arguments, for another process; it loads its own model. The progress callback stays here."""
        loaded = ("_lock", "_embedder", "_cache", "_reranker")
        return {key: value for key, value in vars(self).items() if key not in loaded} | {"progress": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._start()

    @property
    def embedder(self) -> Embedder:
        """The loaded embedder (loads it)."""
        with self._lock:
            if self._embedder is None:
                self._embedder = make_embedder(self._model, self._options)
            return self._embedder

    @property
    def static(self) -> StaticEmbedder | None:
        """The static table when the vectors come from one (it has word vectors too), else None. Loads the table."""
        if self.kind not in ("static", "folder", "object"):
            return None
        from fieldpack.embed.static import StaticEmbedder

        embedder = self.embedder
        return embedder if isinstance(embedder, StaticEmbedder) else None

    @property
    def reranker(self) -> EmbeddingService | None:
        """The model that reads what "cascade" ranks first, with this service's cache and settings; None for any other
        name. Loads nothing."""
        if self._second is None:
            return None
        with self._lock:
            if self._reranker is None:
                self._reranker = self._with_settings(self._second)
            return self._reranker

    def _with_settings(self, model: Any) -> EmbeddingService:
        if isinstance(model, EmbeddingService):
            return model
        service = EmbeddingService(model, cache=self._cache_path, max_cache_bytes=self._max_cache_bytes)
        service._options, service.progress = self._options, self.progress
        return service

    @property
    def dims(self) -> int:
        """Numbers per vector. Loads the model; asks a URL or function for one vector when it does not say."""
        dims: int = self._checked(lambda: self.embedder.dims)
        return dims

    @property
    def fingerprint(self) -> str:
        """Equal fingerprints give equal vectors."""
        fingerprint: str = self._checked(lambda: self.embedder.fingerprint)
        return fingerprint

    def _checked(self, get: Callable[[], Any]) -> Any:
        try:
            return get()
        except FieldpackError:
            raise
        except Exception as error:
            raise failure(self.name, [], error) from error

    def embed_one(self, text: str) -> FloatArray:
        """float32 (dims,), length 1."""
        row: FloatArray = self.embed([text])[0]
        return row

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 (n, dims) rows of length 1, in the order of the texts; equal texts are embedded once."""
        listed = check_texts(texts)
        if not listed:
            return np.zeros((0, self.dims), np.float32)
        first: dict[str, int] = {}
        for i, text in enumerate(listed):
            first.setdefault(text, i)
        rows = self._unique_rows(list(first), list(first.values()))
        if len(first) == len(listed):
            return rows
        row_of = {text: row for row, text in enumerate(first)}
        return rows[np.fromiter(map(row_of.__getitem__, listed), np.intp, len(listed))]

    def _unique_rows(self, texts: list[str], positions: list[int]) -> FloatArray:
        """Rows of distinct texts; positions[i]: the caller's index of texts[i]. Only the static table embeds blanks."""
        if self.static is not None:
            return self._stored_rows(texts, positions)
        full = [i for i, text in enumerate(texts) if not is_blank(text)]
        if len(full) == len(texts):
            return self._stored_rows(texts, positions)
        if not full:
            return np.tile(blank_row(self.dims), (len(texts), 1))
        stored = self._stored_rows([texts[i] for i in full], [positions[i] for i in full])
        rows = np.tile(blank_row(stored.shape[1]), (len(texts), 1))
        rows[full] = stored
        return rows

    def _stored_rows(self, texts: list[str], positions: list[int]) -> FloatArray:
        if self._cache_path is None:
            return self._fresh_rows(texts, positions, total=len(texts))
        from fieldpack.embed.cache import key_of

        cache, space = self._open_cache(), self.fingerprint
        keys = [key_of(text) for text in texts]
        known = cache.get(space, self.dims, keys)
        missing = [i for i, key in enumerate(keys) if key not in known]
        rows = np.empty((len(texts), self.dims), np.float32)
        for i, key in enumerate(keys):
            if key in known:
                rows[i] = known[key]
        if missing:

            def store(start: int, part: FloatArray) -> None:
                cache.put(space, self.dims, [keys[i] for i in missing[start : start + len(part)]], part)

            new, where = [texts[i] for i in missing], [positions[i] for i in missing]
            rows[missing] = self._fresh_rows(new, where, done=len(known), total=len(texts), store=store)
        return rows

    def _open_cache(self) -> VectorCache:
        from fieldpack.embed.cache import VectorCache

        with self._lock:
            if self._cache is None:
                assert self._cache_path is not None
                self._cache = VectorCache(self._cache_path, max_bytes=self._max_cache_bytes)
            return self._cache

    def _fresh_rows(
        self,
        texts: list[str],
        positions: list[int],
        *,
        total: int,
        done: int = 0,
        store: Callable[[int, FloatArray], None] | None = None,
    ) -> FloatArray:
        """Rows from the embedder, in chunks when there is a progress callback or a cache: a kill loses one chunk.

        done, total: texts, for the progress callback. store: called with the first row of a chunk and its rows."""
        step = len(texts) if store is None and self.progress is None else _CHUNK
        parts: list[FloatArray] = []
        for start in range(0, len(texts), step):
            part = self._call(texts[start : start + step], positions[start : start + step])
            if parts and part.shape[1] != parts[0].shape[1]:
                part = unit_rows(part, len(part), parts[0].shape[1], self.name, positions[start:].__getitem__)
            parts.append(part)
            if store is not None:
                store(start, part)
            if self.progress is not None:
                self.progress("embed", done + start + len(part), total)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _call(self, texts: list[str], positions: list[int]) -> FloatArray:
        embedder, where = self.embedder, positions.__getitem__
        try:
            raw = embedder.embed(texts)
            # A custom object shows its width here, so that no probe is needed; every other embedder knows it.
            dims = None if self.kind == "object" and self._cache_path is None else embedder.dims
            return unit_rows(raw, len(texts), dims, self.name)
        except RowError as error:
            raise error.at(where) from error.__cause__
        except FieldpackError:
            raise
        except Exception as error:
            raise failure(self.name, texts, error).at(where) from error
