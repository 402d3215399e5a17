"""How long a pack takes, side by side with LangChain's EmbeddingsFilter, and how long a fresh process takes.

Only ratios within one run are worth quoting: the machine's load moves every figure of a run together. Rounds are
interleaved, and the fastest round of each side is compared, by the processor time of all its threads: on a busy machine
that is what another program disturbs least. The clock time of the fastest round is reported with it.
"""

from __future__ import annotations

import inspect
import itertools
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fieldpack.bench.machine import machine, versions
from fieldpack.bench.system import require
from fieldpack.types import Document

QUERY = "How does the parser report an error in its arguments?"
MODULES = ("argparse", "asyncio", "collections", "datetime", "decimal", "difflib", "email", "http.client", "json")
MORE = (
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "random",
    "re",
    "shutil",
    "ssl",
    "subprocess",
    "unittest",
    "zipfile",
)

REFERENCE = """
import gzip, sys, time
import numpy, tokenizers, tiktoken
from binascii import a2b_base64
from tiktoken_ext import openai_public
def ranks(url, expected_hash=None):
    lines = gzip.open(sys.argv[1], 'rb').read().split()
    return dict(zip(map(a2b_base64, lines[::2]), map(int, lines[1::2])))
openai_public.load_tiktoken_bpe = ranks
tiktoken.Encoding(**openai_public.o200k_base()).encode_ordinary('ready')
"""
"""What any packer that counts o200k_base tokens cannot start faster than: the two imports and the encoding, built by
tiktoken's own constructor from a local file."""

_RSS = "print(int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) / 1024)"
_PASSAGES = "from fieldpack.bench.speed import QUERY, filter_with_minilm, passages; given = passages(1000, 60)"
PACK = "import fieldpack as fp; fp.ContextPacker().pack('Who?', ['Ann did.'], budget=9)"
ENTRY = "from fieldpack.cli import main; main()"
MEMORY = {
    "the passages alone": "",
    "fieldpack": "import fieldpack as fp; fp.ContextPacker().pack(QUERY, given, budget=4000)",
    "EmbeddingsFilter with MiniLM": "filter_with_minilm(given)[0]()",
}


def passages(n: int, words: int) -> list[Document]:
    """`n` passages of `words` words, cut from the docstrings of Python's own library (the same on one version)."""
    stream = _library_words()
    return [Document(f"p{i}", " ".join(itertools.islice(stream, words))) for i in range(n)]


def _library_words() -> Iterator[str]:
    """Endless: what the library's docstrings have to say, then the same again with the order of its parts turned."""
    texts: dict[str, list[str]] = {}
    for name in (*MODULES, *MORE):
        for _, member in sorted(vars(require(name)).items()):
            text = inspect.getdoc(member) if inspect.isclass(member) or inspect.isroutine(member) else None
            if text and len(text) > 80:
                texts[text] = text.split()  # many members share one text
    for turn in itertools.count():
        for words in texts.values():
            yield from words[turn * 7 % len(words) :]


def fastest(sides: Mapping[str, Callable[[], object]], rounds: Mapping[str, int]) -> dict[str, tuple[float, float]]:
    """(processor, clock) milliseconds of each side's fastest round, the sides taking turns. Processes that a side
    starts and waits for count as its own."""
    best = dict.fromkeys(sides, (float("inf"), float("inf")))
    for turn in range(max(rounds.values())):
        for name, run in sides.items():
            if turn < rounds[name]:
                clock, processor = time.perf_counter(), _processor_seconds()
                run()
                spent = (1000 * (_processor_seconds() - processor), 1000 * (time.perf_counter() - clock))
                best[name] = (min(best[name][0], spent[0]), min(best[name][1], spent[1]))
    return best


def _processor_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def against_langchain(n: int, words: int, budget: int, rounds: int = 15, cold_rounds: int = 2) -> list[dict[str, Any]]:
    """fieldpack's default against EmbeddingsFilter with MiniLM on the same passages: cold vectors, then kept ones."""
    from fieldpack.pipeline import ContextPacker

    documents = passages(n, words)
    packer = ContextPacker()
    index = packer.index(documents)
    cold, cached = filter_with_minilm(documents)
    sides: dict[str, Callable[[], object]] = {
        "fieldpack": lambda: packer.pack(QUERY, documents, budget=budget),
        "fieldpack, indexed": lambda: index.pack(QUERY, budget=budget),
        "fieldpack, indexed, its field read too": lambda: index.pack(QUERY, budget=budget).reading,
        "EmbeddingsFilter, cold vectors": cold,
        "EmbeddingsFilter, cached vectors": cached,
    }
    for name, run in sides.items():
        if not name.endswith("cold vectors"):
            run()  # first calls load models and fill caches
    counts = {name: cold_rounds if name.endswith("cold vectors") else rounds for name in sides}
    times = fastest(sides, counts)
    tokens = int(packer.tokenizer.count_many([d.text for d in documents]).sum())
    case = {"passages": n, "tokens": tokens, "budget": budget}
    return [
        {
            **case,
            "what": name,
            "ms": round(ms, 2),
            "clock_ms": round(clock, 2),
            "times_fieldpack": round(ms / times["fieldpack"][0], 2),
            "times_indexed": round(ms / times["fieldpack, indexed"][0], 2),
        }
        for name, (ms, clock) in times.items()
    ]


def filter_with_minilm(documents: Sequence[Document]) -> tuple[Callable[[], object], Callable[[], object]]:
    """LangChain's EmbeddingsFilter over MiniLM, without and with LangChain's own cache (queries cached too)."""
    from fieldpack.embed.service import EmbeddingService

    base: Any = require("langchain_core.embeddings").Embeddings
    service = EmbeddingService("minilm")

    class MiniLM(base):  # type: ignore[misc]
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            rows: list[list[float]] = service.embed(texts).tolist()
            return rows

        def embed_query(self, text: str) -> list[float]:
            return self.embed_documents([text])[0]

    cache = require("langchain_classic.embeddings").CacheBackedEmbeddings
    store = require("langchain_core.stores").InMemoryByteStore()
    kept = cache.from_bytes_store(MiniLM(), store, namespace="minilm", key_encoder="sha256", query_embedding_cache=True)
    filters = require("langchain_classic.retrievers.document_compressors").EmbeddingsFilter
    document = require("langchain_core.documents").Document
    texts = [document(page_content=d.text) for d in documents]
    service.embed([QUERY])  # loading the model is not what is compared

    def run(embeddings: Any) -> Callable[[], object]:
        step = filters(embeddings=embeddings)
        return lambda: step.compress_documents(texts, QUERY)

    return run(MiniLM()), run(kept)


def cold_start(rounds: int = 7) -> list[dict[str, Any]]:
    """A fresh `fieldpack pack` of 20 documents against a process that has numpy, tokenizers and o200k_base ready."""
    from fieldpack import assets

    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for document in passages(20, 80):
            path = Path(folder, f"{document.id}.txt")
            path.write_text(document.text, "utf-8")
            paths.append(str(path))
        ranks = str(assets.verified("tokenizers/o200k_base.tiktoken.gz"))
        commands = {
            "numpy, tokenizers and o200k_base": [sys.executable, "-c", REFERENCE, ranks],
            "fieldpack pack, 20 documents": [
                sys.executable, "-c", ENTRY, "pack", "--query", QUERY, "--budget", "500", *paths,
            ],
            "import fieldpack": [sys.executable, "-c", "import fieldpack"],
        }  # fmt: skip
        sides = {name: _process(command) for name, command in commands.items()}
        times = fastest(sides, dict.fromkeys(sides, rounds))
    floor, _ = times["numpy, tokenizers and o200k_base"]
    return [
        {"what": name, "ms": round(ms), "clock_ms": round(clock), "times_floor": round(ms / floor, 2)}
        for name, (ms, clock) in times.items()
    ]


def _process(command: Sequence[str]) -> Callable[[], object]:
    def run() -> object:
        return subprocess.run(command, check=True, capture_output=True)

    return run


def imports(top: int = 12, statement: str = PACK) -> list[dict[str, Any]]:
    """The modules that a fresh process spends most on for `statement` (a pack), in milliseconds of their own."""
    command = [sys.executable, "-X", "importtime", "-c", statement]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stderr.splitlines()
    rows = []
    for line in lines:
        own, _, rest = line.removeprefix("import time:").partition("|")
        if own.strip().isdigit():
            rows.append({"module": rest.partition("|")[2].strip(), "ms": round(int(own) / 1000, 1)})
    return sorted(rows, key=lambda row: -float(str(row["ms"])))[:top]


def memory() -> list[dict[str, Any]]:
    """Peak resident megabytes of processes that hold 1,000 passages (85,000 tokens) and select from them once."""
    rows = []
    for what, step in MEMORY.items():
        command = [sys.executable, "-c", "\n".join((_PASSAGES, step, _RSS))]
        peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows.append({"what": what, "mb": round(float(peak), 1)})
    return rows


def run() -> dict[str, Any]:
    """Everything, as the JSON that speed_tables.speed_page draws."""
    return {
        "kind": "speed",
        "machine": machine(),
        "versions": versions(),
        "cold_start": cold_start(),
        "imports": imports(),
        "packs": [*against_langchain(20, 75, 500), *against_langchain(500, 18, 2000)],
        "memory": memory(),
    }
