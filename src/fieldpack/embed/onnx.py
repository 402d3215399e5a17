"""all-MiniLM-L6-v2 through onnxruntime, without torch.

The graph (models/build_onnx.py) quantises activations row by row, so a text's vector does not depend on its batch.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldpack import assets
from fieldpack.errors import AssetError, EmbeddingError, MissingExtraError
from fieldpack.storage import sha256_of_file
from fieldpack.types import FloatArray

_BATCH_TOKENS = 512
"""Word pieces a run, padding included: larger batches were no faster on a processor (models/README.md)."""
_TEXTS_AT_ONCE = 1024
"""Texts whose word pieces are in memory at once."""

Pieces = npt.NDArray[np.int64]


class OnnxEmbedder:
    """Texts to unit rows by a BERT-like graph. Safe to call from several threads.

    folder: model.onnx (input_ids, attention_mask -> the sum of the outputs of all pieces), tokenizer.json, info.json
        ("window": word pieces read at once, the two markers included); by default the model that ships with fieldpack.
    threads: of the processor (None: OMP_NUM_THREADS, else onnxruntime's choice). batch_tokens: word pieces a run.
    A text longer than the window is read in windows of equal length, and its vector is the mean over all their pieces.
    Raises MissingExtraError without onnxruntime, AssetError when a file is missing or damaged.
    """

    def __init__(
        self, folder: Path | None = None, threads: int | None = None, batch_tokens: int = _BATCH_TOKENS
    ) -> None:
        if importlib.util.find_spec("onnxruntime") is None:
            raise MissingExtraError("onnxruntime", "onnx")
        self._made_from = (folder, threads, batch_tokens)
        self._batch_tokens = batch_tokens
        weights = _file(folder, "model.onnx")
        info = json.loads(_file(folder, "info.json").read_text("utf-8"))
        self._tokenizer = _tokenizer(_file(folder, "tokenizer.json"))
        first, last = (self._tokenizer.token_to_id(marker) for marker in ("[CLS]", "[SEP]"))
        self._first, self._last = np.array([first]), np.array([last])
        self._pieces_read = int(info["window"]) - 2
        self._session = _session(weights, threads)
        self._dims = int(self._session.get_outputs()[0].shape[1])
        self._fingerprint = f"onnx-{info['name']}:{_digest(folder, weights)[:16]}"

    def __reduce__(self) -> tuple[type[OnnxEmbedder], tuple[Path | None, int | None, int]]:
        """Sent to another process as its arguments: it loads the files there."""
        return OnnxEmbedder, self._made_from

    @property
    def dims(self) -> int:
        return self._dims

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 (n, dims), every row of length 1."""
        listed = list(texts)
        rows = np.empty((len(listed), self._dims), np.float32)
        for start in range(0, len(listed), _TEXTS_AT_ONCE):
            block = listed[start : start + _TEXTS_AT_ONCE]
            rows[start : start + len(block)] = self._rows(block)
        return rows

    def _rows(self, texts: list[str]) -> FloatArray:
        windows: list[Pieces] = []
        owners: list[int] = []
        # A lone surrogate has no UTF-8 form: it is read as a question mark, like any other unreadable character.
        readable = [text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        for i, encoding in enumerate(self._tokenizer.encode_batch(readable, add_special_tokens=False)):
            ids = np.array(encoding.ids, np.int64)
            for part in np.array_split(ids, max(1, -(-len(ids) // self._pieces_read))):
                windows.append(np.concatenate([self._first, part, self._last]))
                owners.append(i)
        sums = np.zeros((len(texts), self._dims), np.float64)
        parts = np.empty((len(windows), self._dims), np.float32)
        for batch in _batches(windows, self._batch_tokens):
            parts[batch] = self._run([windows[i] for i in batch])
        np.add.at(sums, owners, parts)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        if not np.all(np.isfinite(norms) & (norms > 0)):
            raise EmbeddingError(
                "the ONNX model returned no finite vector; its file may be damaged: reinstall fieldpack"
            )
        unit: FloatArray = (sums / norms).astype(np.float32)
        return unit

    def _run(self, windows: list[Pieces]) -> FloatArray:
        """(b, dims) sums over the pieces of each window, padded to the longest."""
        ids = np.zeros((len(windows), max(map(len, windows))), np.int64)
        mask = np.zeros_like(ids)
        for row, window in enumerate(windows):
            ids[row, : len(window)] = window
            mask[row, : len(window)] = 1
        sums: FloatArray = self._session.run(["sum"], {"input_ids": ids, "attention_mask": mask})[0]
        return sums


def _batches(windows: list[Pieces], limit: int) -> Iterator[list[int]]:
    """Indices of windows of about one length: at most `limit` pieces with the padding, but always one window."""
    order = sorted(range(len(windows)), key=lambda i: len(windows[i]))
    batch: list[int] = []
    for i in order:
        longest = len(windows[i])
        # A tenth of padding costs more than a run of its own saves.
        if batch and ((len(batch) + 1) * longest > limit or longest > 1.1 * len(windows[batch[0]]) + 1):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _session(weights: Path, threads: int | None) -> Any:
    import onnxruntime  # type: ignore[import-untyped,unused-ignore]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or _granted()
    options.inter_op_num_threads = 1
    # Spinning threads would keep the processor busy between two runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no public base class for its errors
        raise AssetError(f"onnxruntime cannot load {weights}: {error}") from error


def _granted() -> int:
    """The threads that OMP_NUM_THREADS grants, as on a machine that is shared by many workers; 0 when it says none."""
    granted = os.environ.get("OMP_NUM_THREADS", "")
    return int(granted) if granted.isdecimal() else 0


def _tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    # The file asks for truncation at 128 pieces, and no text may be truncated.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _file(folder: Path | None, name: str) -> Path:
    if folder is None:
        return assets.verified(f"onnx/{name}")
    if not (folder / name).is_file():
        raise AssetError(
            f"{folder} has no {name}; an ONNX model is a folder with model.onnx, tokenizer.json, info.json"
        )
    return folder / name


def _digest(folder: Path | None, weights: Path) -> str:
    return str(assets.manifest()["files"]["onnx/model.onnx"]) if folder is None else sha256_of_file(weights)
