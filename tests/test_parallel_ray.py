"""A real Ray cluster on loopback: the same bytes as in one process, whoever is killed on the way."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
import ray_room
from parallel_cases import BAD, Letters, content, corpus, slow_words, tasks, write

import fieldpack as fp
from fieldpack.bench import quality
from fieldpack.parallel import index_corpus, pack_many, rows


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


PORT = free_port()
ADDRESS = f"127.0.0.1:{PORT}"


class Room:
    """Commands run where the cluster is."""

    def __init__(self, process):
        self.process = process

    def __call__(self, *argv, **more):
        self.process.stdin.write(json.dumps({"argv": [sys.executable, *map(str, argv)], **more}) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        assert line, f"the room is closed: {self.process.stderr.read()[-2000:]}"
        return json.loads(line)


@pytest.fixture(scope="module")
def room():
    folder = tempfile.mkdtemp(prefix="r", dir="/tmp")  # short: sockets lie in it, and their paths may have 107 bytes
    env = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
    }
    env.pop("RAY_ADDRESS", None)
    process = subprocess.Popen(
        [*ray_room.prefix(), sys.executable, ray_room.__file__, str(PORT), folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    )
    try:
        inside = Room(process)
        started = inside.answer()
        assert started["code"] == 0, started["err"][-2000:]
        yield inside
    finally:
        process.stdin.close()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
        process.stdout.close()
        process.stderr.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Tasks, a labelled set and an index, on the disk that everybody sees."""
    folder = tmp_path_factory.mktemp("cluster")
    write(folder / "tasks.jsonl", [*tasks(20), *BAD.values(), *tasks(40)[20:]])
    labelled = [{"id": t["id"], "query": t["query"], "passages": t["documents"], "gold": ["d0"]} for t in tasks(12)]
    write(folder / "tides.jsonl", labelled)
    fp.ContextPacker().index(corpus()).save(folder / "index", vectors=True)
    write(folder / "asked.jsonl", [{"id": k, "query": f"the {w}"} for k, w in enumerate(["tide", "pilot", "rope"])])
    return folder


def options(folder, out):
    systems = ("fieldpack", "truncate", "dense")
    return quality.Options(folder / "tides.jsonl", systems=systems, embedder="static", out=folder / out)


SCRIPT = """
import sys
from pathlib import Path

import psutil
import ray
from parallel_cases import Letters, corpus, slow_words
from test_parallel_ray import options

import fieldpack as fp
from fieldpack.bench import distributed
from fieldpack.parallel import ComputeOptions, index_corpus, pack_many

folder, address = Path(sys.argv[1]), sys.argv[2]
ray.init(address=address, logging_level="ERROR", log_to_driver=False)
killed = []

def kill_one(stage, done, total):
    found = [p for p in psutil.process_iter(["name", "cmdline"]) if "MapWorker" in " ".join(p.info["cmdline"] or [])]
    if 0 < done < total / 2 and found and not killed:
        killed.append(found[0].pid)
        found[0].kill()

packer = fp.ContextPacker(embedder=Letters(), tokenizer=slow_words)
pack_many(packer, folder / "tasks.jsonl", folder / "spread", batch=4, ray=address, workers=2, progress=kill_one)
assert killed, "nobody was killed"
index_corpus(fp.ContextPacker(), corpus(), folder / "joined", batch=7, ray=address, workers=2)
pack_many(fp.ContextPacker(), folder / "asked.jsonl", folder / "over", budget=50, index=folder / "index", ray=address)
distributed.run(options(folder, "bench-spread"), ComputeOptions(address, workers=2))
print("done")
"""


@pytest.fixture(scope="module")
def spread_out(room, place):
    """Everything done on the cluster, by one program that keeps its connection; a worker is killed on the way."""
    (place / "script.py").write_text(SCRIPT)
    found = room(place / "script.py", place, ADDRESS)
    assert found["code"] == 0, found["err"][-3000:]
    return place


def test_a_killed_worker_costs_nothing_and_the_bytes_are_those_of_one_process(spread_out):
    packer = fp.ContextPacker(embedder=Letters(), tokenizer=slow_words)
    found = pack_many(packer, spread_out / "tasks.jsonl", spread_out / "alone", batch=4)
    assert content(spread_out / "spread") == content(spread_out / "alone")
    listed = list(rows(spread_out / "spread"))
    assert [row["task"] for row in listed] == list(range(40 + len(BAD))) and found.errors == len(BAD)
    assert [row["id"] for row in listed[:20]] == [f"q{k}" for k in range(20)]


def test_the_index_is_the_one_of_one_process(spread_out):
    index_corpus(fp.ContextPacker(), corpus(), spread_out / "joined-alone", batch=7)
    assert content(spread_out / "joined") == content(spread_out / "joined-alone")
    once = content(spread_out / "index")
    assert {name: body for name, body in content(spread_out / "joined").items() if name in once} == once


def test_workers_read_one_saved_index(spread_out):
    pack_many(
        fp.ContextPacker(), spread_out / "asked.jsonl", spread_out / "over-alone", budget=50, index=spread_out / "index"
    )
    assert content(spread_out / "over") == content(spread_out / "over-alone")


def test_the_benchmark_measures_the_same(spread_out):
    def facts(results):
        times = ("ms", "embedding_ms_per_1000_chars")
        cells = [{k: v for k, v in cell.items() if k not in times} for cell in results["cells"]]
        sets = {name: {k: v for k, v in found.items() if k not in times} for name, found in results["sets"].items()}
        return cells, sets, results["against_default"], results["skipped"]

    alone = quality.run(options(spread_out, "bench-alone"))
    assert alone["cells"]
    assert facts(json.loads((spread_out / "bench-spread" / "quality.json").read_text())) == facts(alone)


def test_a_killed_run_goes_on_where_it_stood(room, place):
    call = ["-m", "fieldpack", "batch", place / "tasks.jsonl", "--output", place / "killed", "--batch", "2"]
    ended = room(*call, "--ray", ADDRESS, "--workers", "2", kill_after=[str(place / "killed"), 3])
    assert ended["code"] == -9 and 3 <= len(ended["shards"]) < 27
    # The last may lack its line in the checksums: it was killed between the two writes, and that shard is made anew.
    listed = (place / "killed" / "SHA256SUMS").read_text("utf-8")
    kept = {name: (place / "killed" / name).stat().st_mtime_ns for name in ended["shards"] if name in listed}
    assert len(ended["shards"]) - len(kept) <= 1
    found = room(*call, "--ray", ADDRESS, "--workers", "2", "--json")
    assert found["code"] == 0, found["err"]
    assert json.loads(found["out"])["done_before"] == len(kept)
    assert f"{len(BAD)} of {40 + len(BAD)} tasks have errors" in found["err"] and "Traceback" not in found["err"]
    assert {name: (place / "killed" / name).stat().st_mtime_ns for name in kept} == kept
    pack_many(fp.ContextPacker(), place / "tasks.jsonl", place / "killed-alone", batch=2)
    assert content(place / "killed") == content(place / "killed-alone")


def test_an_address_where_no_cluster_is(room, place):
    call = ["-m", "fieldpack", "batch", place / "tasks.jsonl", "-o", place / "none", "--ray", "127.0.0.1:9"]
    found = room(*call)
    assert found["code"] == 2 and "no Ray cluster at 127.0.0.1:9" in found["err"]
    assert found["err"].count("\n") == 1, "one line, no traceback"


def test_tasks_of_a_parquet_file(place, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    parquet.write_table(pa.Table.from_pylist(tasks(5)), tmp_path / "t.parquet")
    pack_many(fp.ContextPacker(), tmp_path / "t.parquet", tmp_path / "a")
    pack_many(fp.ContextPacker(), tasks(5), tmp_path / "b")
    assert [r["text"] for r in rows(tmp_path / "a")] == [r["text"] for r in rows(tmp_path / "b")]
    (tmp_path / "no.parquet").write_bytes(b"PAR1 and nothing")
    with pytest.raises(fp.InputError, match="no Parquet file"):
        pack_many(fp.ContextPacker(), tmp_path / "no.parquet", tmp_path / "c")


def test_what_cannot_travel_is_refused_before_anything_is_done(tmp_path):
    lock = threading.Lock()

    def count(text):
        with lock:
            return len(text.split())

    with pytest.raises(fp.InputError, match="cannot travel to other processes"):
        pack_many(fp.ContextPacker(tokenizer=count), tasks(1), tmp_path / "out", ray="local")
