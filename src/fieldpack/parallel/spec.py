"""A packer as the settings it was made from, to be sent to another process, which loads its own model."""

from __future__ import annotations

import copy
import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from fieldpack import assets
from fieldpack.embed.service import EmbeddingService
from fieldpack.pipeline import ContextPacker
from fieldpack.rerank.service import RerankService
from fieldpack.storage import sha256, write_file
from fieldpack.version import __version__

_APART = ("embedder", "reranker", "tokenizer", "scorer")


@dataclass(frozen=True)
class PackerSpec:
    """settings: the packer's fields but for its models, tokenizer and scorer. weights: the scorer's file, None for the
    shipped one. Names, folders and URLs are opened by the worker; objects and functions travel by Ray's serialisation.
    """

    settings: Mapping[str, Any]
    embedder: EmbeddingService
    reranker: EmbeddingService | RerankService | None
    tokenizer: Any
    weights: bytes | None

    @staticmethod
    def of(packer: ContextPacker) -> PackerSpec:
        """The spec of a packer, without its cache of vectors: that is a file of this machine."""
        settings = {f.name: getattr(packer, f.name) for f in fields(packer) if f.init and f.name not in _APART}
        weights = None if packer.scorer is None else Path(packer.scorer).read_bytes()
        reranker = _bare(packer.reranker) if isinstance(packer.reranker, EmbeddingService) else packer.reranker
        return PackerSpec(settings, _bare(packer.embedder), reranker, packer.tokenizer, weights)

    def build(self) -> ContextPacker:
        """The packer in another process."""
        scorer = None if self.weights is None else weights_file(self.weights)
        return ContextPacker(self.embedder, self.tokenizer, scorer=scorer, reranker=self.reranker, **self.settings)


def weights_file(weights: bytes) -> Path:
    """A file with these scorer weights; its name is that of its content."""
    path = Path(tempfile.gettempdir()) / f"fieldpack-weights-{sha256(weights)[:24]}.json"
    if not path.is_file():
        write_file(path, weights)
    return path


def made_with(packer: ContextPacker) -> dict[str, Any]:
    """All that the packs of `packer` depend on, as JSON: equal ones give the same rows. Loads no transformer."""
    settings = {f.name: getattr(packer, f.name) for f in fields(packer) if f.init and f.name not in _APART}
    values = {name: v if isinstance(v, bool | int | float | str | None) else repr(v) for name, v in settings.items()}
    model: Any = getattr(packer.tokenizer, "model", None)
    counts = _digest(model.to_str().encode()) if hasattr(model, "to_str") else ""
    return {
        "fieldpack": __version__,
        "shipped": _digest("\n".join(f"{k} {v}" for k, v in sorted(assets.manifest()["files"].items())).encode()),
        "embedder": _model(packer.embedder),
        "reranker": "" if packer.reranker is None else _model(packer.reranker),
        "tokenizer": f"{packer.tokenizer.name} {counts}".strip(),
        "scorer": "shipped" if packer.scorer is None else _digest(Path(packer.scorer).read_bytes()),
        **values,
    }


def gpu_use(*services: EmbeddingService | RerankService | None) -> str:
    """ "must" when one of the models was told to run on cuda, "may" when one is a transformer that takes the best
    device that there is, "" when they run on a processor. Loads nothing."""
    present = [s for s in services if isinstance(s, EmbeddingService)]
    models = [*present, *(s.reranker for s in present if s.reranker is not None)]
    uses = {_use(m._model, m._options.device, m.kind) for m in models}
    return "must" if "must" in uses else "may" if "may" in uses else ""


def _use(model: Any, device: str, kind: str) -> str:
    if kind in ("static", "remote"):
        return ""
    if device.startswith("cuda"):
        return "must"
    if kind == "folder":
        folder = Path(model).expanduser()
        other = (folder / "vectors.safetensors").is_file() or (folder / "model.onnx").is_file()
        return "" if other or device != "auto" else "may"
    sentences = kind == "object" and hasattr(model, "encode") and hasattr(model, "max_seq_length")
    # "minilm" takes onnxruntime on the processor unless it is told to use cuda.
    return "may" if device == "auto" and (kind == "hub" or sentences) else ""


def _bare(service: EmbeddingService) -> EmbeddingService:
    """The service unloaded, without its cache; a folder by its whole path, for workers stand elsewhere."""
    out = copy.copy(service)
    out._cache_path = None
    if out.kind == "folder":
        out._model = str(Path(out._model).expanduser().resolve())
    if isinstance(out._second, EmbeddingService):
        out._second = _bare(out._second)
    return out


def _model(service: EmbeddingService | RerankService) -> str:
    if isinstance(service, RerankService):
        return f"reranker {service.name}"
    if service.kind == "object":
        return service.fingerprint
    if service.kind == "folder":
        return f"folder {_folder(Path(service._model).expanduser())}"
    second = "" if service.reranker is None else _model(service.reranker)
    return " ".join(filter(None, (service.kind, service.name, service._options.remote_model, second)))


def _folder(folder: Path) -> str:
    """A hash over the names and contents of all files of a model."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            digest.update(f"{path.relative_to(folder).as_posix()} ".encode())
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _digest(content: bytes) -> str:
    return sha256(content)[:16]
