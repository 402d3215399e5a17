"""A corpus of documents to an index: its parts read by many workers, then joined into what one process would make."""

from __future__ import annotations

import functools
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fieldpack import storage as store
from fieldpack.checks import whole
from fieldpack.corpus.corpus import Corpus
from fieldpack.corpus.files import from_bytes, to_bytes
from fieldpack.errors import InputError
from fieldpack.parallel.jobs import ComputeOptions
from fieldpack.parallel.run import run_jobs
from fieldpack.parallel.shards import MOST_BATCH, Output
from fieldpack.parallel.spec import PackerSpec, gpu_use, made_with
from fieldpack.pipeline import ContextPacker, Index
from fieldpack.protocols import Progress
from fieldpack.request import Documents, checked_documents
from fieldpack.text.tokens import check_text
from fieldpack.types import Document

BATCH = 512
"""Documents in a part."""
PARTS = "parts"


def index_corpus(
    packer: ContextPacker,
    documents: Documents,
    output: str | Path,
    *,
    ray: str | None = None,
    workers: int | None = None,
    gpus: float | None = None,
    cores: float = 1.0,
    batch: int = BATCH,
    progress: Progress | None = None,
) -> Index:
    """The index of `documents`, saved in the folder `output` and loaded from there (memory-mapped).

    Its files are those that `packer.index(documents).save(output, vectors=True)` writes, byte for byte with static
    vectors; rows of a transformer that are computed in other batches may differ in their last bits. Workers cut
    documents into segments, count tokens, split words and embed; this process holds the documents and joins the parts.
    A run that was stopped goes on from the parts in the folder PARTS of `output`, which go when the index is there;
    then it is only loaded.

    ray, workers, gpus, cores: see `ComputeOptions`. batch: documents in a part.
    progress: called as progress("index", documents done, documents).
    Raises InputError for bad documents, and when `output` was begun with other documents or settings.
    """
    compute = ComputeOptions(ray, workers, gpus, cores)
    whole("batch", batch, 1, MOST_BATCH)
    listed = checked_documents(documents)
    check_text(listed)
    place = Path(output)
    lines = store.lines([_row(d) for d in listed]).splitlines()
    about = {"documents": store.sha256(b"\n".join(lines)), **made_with(packer)}
    out = Output(place / PARTS, "part", count=len(listed), size=batch, ending="npz", about=about)
    with out.opened():
        if not (place / "index.json").is_file():
            _read_parts(out, lines, packer, compute, progress)
            parts = [_unpacked(out.path(k), tuple(listed[i] for i in out.items(k))) for k in range(len(out))]
            joined = packer.reader.join(*parts) if parts else packer.embedded(packer.reader.read(()))
            Index(packer, joined).save(place, vectors=True)
            out.clear()
    return Index.load(place, packer, verify=False)


def _read_parts(
    out: Output, lines: Sequence[bytes], packer: ContextPacker, compute: ComputeOptions, progress: Progress | None
) -> None:
    """Writes the parts that are missing."""
    carried = packer if compute.ray is None else PackerSpec.of(packer)
    missing = out.missing(lambda k, content: zipfile.is_zipfile(io.BytesIO(content)))
    done = len(lines) - sum(len(out.items(k)) for k in missing)
    jobs = ((k, b"\n".join(lines[i] for i in out.items(k))) for k in missing)
    for k, content in run_jobs(
        functools.partial(PartWorker, carried), jobs, compute, gpu_use(packer.embedder, packer.reranker)
    ):
        out.write(k, content)
        done += len(out.items(k))
        if progress is not None:
            progress("index", done, len(lines))


class PartWorker:
    """Reads the documents of a part. `packer` as it is when the work is done here, else what rebuilds it."""

    def __init__(self, packer: ContextPacker | PackerSpec) -> None:
        self._packer = packer.build() if isinstance(packer, PackerSpec) else packer

    def __call__(self, number: int, content: bytes) -> bytes:
        rows = [json.loads(line) for line in content.split(b"\n")]
        documents = tuple(Document(r["id"], r["text"], r["title"], r["metadata"]) for r in rows)
        reader = replace(self._packer.reader, both=True)
        return to_bytes(self._packer.embedded(reader.read(documents)))


def _row(document: Document) -> dict[str, Any]:
    return {
        "id": document.id,
        "text": document.text,
        "title": document.title,
        "metadata": dict(document.metadata),
    }


def _unpacked(path: Path, documents: tuple[Document, ...]) -> Corpus:
    try:
        return from_bytes(path.read_bytes(), documents)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is damaged ({error}); delete it and run the same again") from error
