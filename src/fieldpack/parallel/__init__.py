"""Many queries, and corpora of documents: in this process, or over the machines of a Ray cluster.

`pack_many` packs a file of tasks, `index_corpus` makes an index of many documents, `rows` reads what `pack_many` wrote.
Both cut their input into fixed shards and write each to the output folder when it is done, so that a run that was
stopped goes on where it stood; with and without Ray the same bytes are written. Read `packs.py` first.
"""

from __future__ import annotations

from fieldpack.parallel.corpus import index_corpus
from fieldpack.parallel.engine import Where, Work, outcomes
from fieldpack.parallel.packs import Summary, pack_many, rows

__all__ = ["Summary", "Where", "Work", "index_corpus", "outcomes", "pack_many", "rows"]
