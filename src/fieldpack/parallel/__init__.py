"""Many queries, and corpora of documents: in this process, or over the machines of a Ray cluster.

`pack_many` packs a file of tasks, `index_corpus` makes an index of many documents, `rows` reads what `pack_many` wrote.
Both cut their input into fixed shards and write each to the output folder when it is done, so that a run that was
stopped goes on where it stood; with and without Ray the same bytes are written. Read `packs.py` first.
"""

from __future__ import annotations

import warnings
from typing import Any

from fieldpack.parallel.corpus import index_corpus
from fieldpack.parallel.jobs import ComputeOptions, Worker
from fieldpack.parallel.packs import Summary, pack_many, rows
from fieldpack.parallel.run import run_jobs

__all__ = ["ComputeOptions", "Summary", "Worker", "index_corpus", "pack_many", "rows", "run_jobs"]

_RENAMED = {"Where": ComputeOptions, "Work": Worker, "outcomes": run_jobs}
"""Names of release 0.1, for one release more."""


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        new: Any = _RENAMED[name]
        warnings.warn(f"fieldpack.parallel.{name} is now {new.__name__}", DeprecationWarning, stacklevel=2)
        return new
    raise AttributeError(f"module 'fieldpack.parallel' has no attribute {name!r}; it has {', '.join(__all__)}")
