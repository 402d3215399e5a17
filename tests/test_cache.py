"""VectorCache: right or absent, never wrong, whatever happens to the file."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from fieldpack.embed import EmbeddingService, HashEmbedder
from fieldpack.embed.cache import VectorCache, key_of
from fieldpack.errors import InputError

DIMS = 16


def rows_of(texts):
    return HashEmbedder(DIMS).embed(texts)


def filled(path, n=50, **options):
    texts = [f"text {i}" for i in range(n)]
    keys = [key_of(t) for t in texts]
    cache = VectorCache(path, **options)
    cache.put("model", DIMS, keys, rows_of(texts))
    return cache, keys, rows_of(texts)


def same(found, keys, rows):
    return all(np.array_equal(found[k], row) for k, row in zip(keys, rows, strict=True) if k in found)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "vectors.sqlite"


def test_vectors_come_back_bit_for_bit_after_reopening(path):
    cache, keys, rows = filled(path)
    cache.close()
    found = VectorCache(path).get("model", DIMS, keys)
    assert len(found) == 50 and same(found, keys, rows)


def test_other_models_and_widths_find_nothing(path):
    cache, keys, _ = filled(path)
    assert cache.get("other", DIMS, keys) == {} and cache.get("model", DIMS + 1, keys) == {}


def test_many_keys(path):
    keys = [key_of(str(i)) for i in range(40_000)]
    rows = np.random.default_rng(0).random((40_000, 4), np.float32)
    cache = VectorCache(path)
    cache.put("model", 4, keys, rows)
    found = cache.get("model", 4, keys)
    assert len(found) == 40_000 and same(found, keys, rows)


def test_texts_that_utf8_lacks_have_keys():
    assert key_of("\ud800") != key_of("\ud801")


def test_a_changed_row_is_not_served(path, caplog):
    cache, keys, rows = filled(path)
    cache.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE vectors SET vector = (SELECT vector FROM vectors WHERE id = 2) WHERE id = 1")
        db.execute("UPDATE vectors SET vector = 'text', checksum = 7 WHERE id = 3")
        db.execute("UPDATE vectors SET vector = zeroblob(1) WHERE id = 4")
        db.execute("UPDATE vectors SET key = ? WHERE id = 5", (key_of("somebody else's"),))
    again = VectorCache(path)
    found = again.get("model", DIMS, [*keys, key_of("somebody else's")])
    assert len(found) == 46 and same(found, keys, rows)
    assert "4 vectors did not match" in caplog.text
    assert len(again) == 46


def test_a_service_fills_and_uses_the_file(path):
    calls = []

    class Counting(HashEmbedder):
        def embed(self, texts):
            calls.append(list(texts))
            return super().embed(texts)

    first = EmbeddingService(Counting(DIMS), cache=path).embed(["a", "b", "a"])
    second = EmbeddingService(Counting(DIMS), cache=path).embed(["b", "c", "a"])
    assert calls == [["a", "b"], ["c"]]
    assert np.array_equal(first[[0, 1]], second[[2, 0]])


DAMAGES = {
    "garbage": lambda p: p.write_bytes(b"this is no database at all" * 500),
    "truncated": lambda p: p.write_bytes(p.read_bytes()[: p.stat().st_size // 2]),
    "empty": lambda p: p.write_bytes(b""),
    "header only": lambda p: p.write_bytes(p.read_bytes()[:100]),
    "middle overwritten": lambda p: p.write_bytes(p.read_bytes()[:6000] + b"\xff" * 9000 + p.read_bytes()[15000:]),
    "tables gone": lambda p: sqlite3.connect(p).executescript("DROP TABLE vectors;"),
}


@pytest.mark.parametrize("damage", DAMAGES, ids=str)
def test_a_damaged_file_heals(path, damage, caplog):
    cache, keys, rows = filled(path, 300)
    cache.close()
    DAMAGES[damage](path)
    cache = VectorCache(path)
    found = cache.get("model", DIMS, keys)
    assert same(found, keys, rows)
    missing = [i for i, key in enumerate(keys) if key not in found]
    cache.put("model", DIMS, [keys[i] for i in missing], rows[missing])
    assert len(cache.get("model", DIMS, keys)) == 300
    if damage in ("garbage", "tables gone"):
        assert "moved to" in caplog.text and path.with_name(path.name + ".corrupt-1").exists()


@pytest.mark.parametrize("seed", range(20))
def test_random_bytes_anywhere_give_right_vectors_or_none(path, seed):
    cache, keys, rows = filled(path, 200)
    cache.close()
    rng = np.random.default_rng(seed)
    data = bytearray(path.read_bytes())
    for at in rng.integers(0, len(data), 60):
        data[at] = rng.integers(0, 256)
    path.write_bytes(bytes(data))
    service_rows = VectorCache(path).get("model", DIMS, keys)
    assert same(service_rows, keys, rows)


def test_somebody_elses_files_are_left_alone(tmp_path):
    note = tmp_path / "README.md"
    note.write_text("do not touch")
    with pytest.raises(InputError, match="no SQLite file"):
        VectorCache(note).get("model", DIMS, [key_of("a")])
    assert note.read_text() == "do not touch"
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE mine (x)")
    with pytest.raises(InputError, match="another program"):
        VectorCache(other).get("model", DIMS, [key_of("a")])
    with pytest.raises(InputError, match="folder"):
        VectorCache(tmp_path).get("model", DIMS, [key_of("a")])


def test_a_newer_schema_is_left_alone(path, caplog):
    cache, keys, _ = filled(path)
    cache.close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    assert VectorCache(path).get("model", DIMS, keys) == {}
    assert "version 99" in caplog.text and path.read_bytes() == before


def test_a_locked_file_is_read_but_not_written(path, caplog):
    cache, keys, rows = filled(path, wait=0.05)
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    cache.put("model", DIMS, [key_of("new")], rows[:1])
    assert "locked" in caplog.text and "not kept" in caplog.text
    assert len(cache.get("model", DIMS, keys)) == 50
    lock.execute("COMMIT")
    lock.close()
    assert key_of("new") not in cache.get("model", DIMS, [key_of("new")])


def test_a_file_locked_from_the_start_is_done_without(path, caplog):
    path.parent.mkdir()
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("CREATE TABLE x (y)")
    lock.execute("BEGIN EXCLUSIVE")
    cache = VectorCache(path, wait=0.05)
    assert cache.get("model", DIMS, [key_of("a")]) == {}
    assert "going on without the cache" in caplog.text
    lock.close()


def test_a_path_that_cannot_be(tmp_path, caplog):
    (tmp_path / "file").write_text("x")
    service = EmbeddingService(HashEmbedder(DIMS), cache=tmp_path / "file" / "v.sqlite")
    assert np.array_equal(service.embed(["a"]), rows_of(["a"]))
    assert "going on without the cache" in caplog.text


READ_ONLY = """
import os, sys, logging, urllib.parse  # pathlib of 3.13 imports it late, when the child may not read it any more
logging.basicConfig()
from fieldpack.embed.cache import VectorCache, key_of
from fieldpack.embed import HashEmbedder
if os.getuid() == 0:
    os.setuid(65534)
cache = VectorCache(sys.argv[1])
keys = [key_of(f"text {i}") for i in range(50)]
found = cache.get("model", 16, keys)
cache.put("model", 16, [key_of("new")], HashEmbedder(16).embed(["new"]))
print(len(found), len(cache.get("model", 16, [key_of("new")])))
"""


@pytest.mark.parametrize("folder_mode", [0o555, 0o777])
def test_a_read_only_file_is_read(folder_mode):
    # Not under tmp_path: the child gives up root's rights, and pytest's folders are closed to others.
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        path = Path(folder) / "v.sqlite"
        filled(path)[0].close()
        path.chmod(0o444)
        os.chmod(folder, folder_mode)
        run = subprocess.run([sys.executable, "-c", READ_ONLY, path], capture_output=True, text=True, timeout=60)
        os.chmod(folder, 0o777)
    assert run.stdout.split() == ["50", "0"], run.stderr
    assert "not kept" in run.stderr and "Traceback" not in run.stderr


DISK_FULL = """
import resource, signal, sys, logging
logging.basicConfig()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
from fieldpack.embed import EmbeddingService, HashEmbedder
import numpy as np
service = EmbeddingService(HashEmbedder(64), cache=sys.argv[1])
texts = [f"text {i}" for i in range(5000)]
for _ in range(2):
    assert np.array_equal(service.embed(texts), HashEmbedder(64).embed(texts))
print("fine")
"""


def test_a_full_disk_costs_the_cache_only(tmp_path):
    command = [sys.executable, "-c", DISK_FULL, tmp_path / "v.sqlite"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "fine", run.stderr
    assert "not kept" in run.stderr and "Traceback" not in run.stderr


def test_a_full_database_keeps_serving_what_it_has(path, caplog):
    cache, keys, rows = filled(path)
    cache._open().execute("PRAGMA max_page_count = 1")
    more = [f"more {i}" for i in range(2000)]
    cache.put("model", DIMS, [key_of(t) for t in more], rows_of(more))
    assert "full" in caplog.text and "not kept" in caplog.text
    found = cache.get("model", DIMS, keys)
    assert len(found) == 50 and same(found, keys, rows)


def test_the_size_is_bounded_and_the_longest_unused_go_first(path):
    ticks = itertools.count()
    cache = VectorCache(path, max_bytes=200_000, clock=lambda: next(ticks))
    kept = [key_of(f"often {i}") for i in range(20)]
    cache.put("model", DIMS, kept, rows_of([f"often {i}" for i in range(20)]))
    for block in range(40):
        texts = [f"{block} {i}" for i in range(100)]
        cache.put("model", DIMS, [key_of(t) for t in texts], rows_of(texts))
        assert len(cache.get("model", DIMS, kept)) == 20
    cache.close()
    assert path.stat().st_size <= 260_000
    assert 100 < len(VectorCache(path)) < 2000


@pytest.mark.parametrize("bad", [0, -5])
def test_a_size_that_is_none(path, bad):
    with pytest.raises(InputError, match="max_cache_bytes"):
        VectorCache(path, max_bytes=bad)


def test_threads_share_one_cache(path):
    cache = VectorCache(path)
    wrong = []

    def work(k):
        texts = [f"{k % 3} {i}" for i in range(100)]
        keys = [key_of(t) for t in texts]
        for _ in range(5):
            cache.put("model", DIMS, keys, rows_of(texts))
            found = cache.get("model", DIMS, keys)
            wrong.extend([k] if len(found) < 100 or not same(found, keys, rows_of(texts)) else [])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and len(cache) == 300


def test_a_fork_opens_the_file_anew(path):
    cache, keys, rows = filled(path)
    child = os.fork()
    if child == 0:
        found = cache.get("model", DIMS, keys)
        cache.put("model", DIMS, [key_of("child")], rows[:1])
        os._exit(0 if len(found) == 50 and same(found, keys, rows) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(cache.get("model", DIMS, [*keys, key_of("child")])) == 51


WRITERS = """
import itertools, os, signal, sys
import numpy as np
from fieldpack.embed.cache import VectorCache, key_of
from fieldpack.embed import HashEmbedder

def write(own):
    cache = VectorCache(sys.argv[1])
    for block in itertools.count():
        number = (own + block) % 300
        texts = [f"{number} {i}" for i in range(40)]
        cache.put("model", 16, [key_of(t) for t in texts], HashEmbedder(16).embed(texts))
        os.write(1, f"{number}\\n".encode())

# Each line says where a writer begins; the answer is its process, a fork of this one.
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        write(int(line))
    os.write(2, f"{child}\\n".encode())
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
"""
KILLS = 102


def test_killed_writers_leave_right_vectors_and_all_that_was_committed(path, caplog):
    """Three processes at a time write to one file and are killed in the middle of it, a hundred times."""
    path.parent.mkdir()
    rng = np.random.default_rng(0)
    committed: set[int] = set()
    nursery = subprocess.Popen(
        [sys.executable, "-c", WRITERS, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    for kill in range(0, KILLS, 3):
        writers = []
        for _ in range(3):
            nursery.stdin.write(f"{rng.integers(300)}\n")
            writers.append(int(nursery.stderr.readline()))
        committed.add(int(nursery.stdout.readline()))
        for writer in rng.permutation(writers).tolist():
            time.sleep(float(rng.uniform(0, 0.02)))
            os.kill(writer, signal.SIGKILL)
        if kill % 30 == 0:
            check_blocks(path, committed)
    out, err = nursery.communicate(timeout=60)
    assert err == "" and nursery.returncode == 0
    committed.update(int(line) for line in out.split("\n") if line)
    assert len(committed) >= 30
    check_blocks(path, committed)
    assert "corrupt" not in caplog.text and "checksum" not in caplog.text
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def check_blocks(path, committed):
    """What is there is right, what was committed is there, and every put is there whole or not at all."""
    cache = VectorCache(path)
    for block in range(300):
        texts = [f"{block} {i}" for i in range(40)]
        keys = [key_of(t) for t in texts]
        found = cache.get("model", DIMS, keys)
        assert same(found, keys, rows_of(texts))
        assert len(found) in ((40,) if block in committed else (0, 40)), block
    cache.close()


def test_warnings_come_once(path, caplog):
    caplog.set_level(logging.WARNING)
    path.parent.mkdir()
    path.write_bytes(b"no database" * 999)
    cache = VectorCache(path)
    for _ in range(3):
        cache.get("model", DIMS, [key_of("a")])
    assert caplog.text.count("moved to") == 1
