"""Many packs in this process: fixed shards, errors as rows, resuming. The cluster's tests are test_parallel_ray.py."""

import contextlib
import gzip
import json
import pickle
import socket
import sys
import threading
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parallel_cases import BAD, Letters, content, corpus, tasks, write

import fieldpack as fp
from fieldpack.assets import root, verified
from fieldpack.cli.app import run
from fieldpack.parallel import ComputeOptions, cluster, index_corpus, pack_many, rows
from fieldpack.parallel.cluster import PoolSize, check_reachable, pool_size
from fieldpack.parallel.spec import PackerSpec, gpu_use, made_with

PACKER = fp.ContextPacker()
KEYS = st.sampled_from(["id", "query", "documents", "budget", "pins", "text", "title", "metadata"])
ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
"""What JSON can hold."""


class Stop(Exception):
    """Ends a run in the middle, as a kill does after a shard was written."""


def stop_after(count):
    def progress(stage, done, total):
        if done >= count:
            raise Stop

    return progress


def test_rows_are_the_packs_in_order(tmp_path):
    given_tasks = tasks(10)
    found = pack_many(PACKER, write(tmp_path / "t.jsonl", given_tasks), tmp_path / "out", batch=3)
    assert (found.tasks, found.errors, found.shards, found.done_before) == (10, 0, 4, 0)
    for number, (row, task) in enumerate(zip(rows(tmp_path / "out"), given_tasks, strict=True)):
        documents = [fp.Document(d["id"], d["text"], d["title"]) for d in task["documents"]]
        alone = PACKER.pack(task["query"], documents, task["budget"]).to_dict()
        assert row["task"] == number and row["id"] == task["id"]
        assert all(row[key] == alone[key] for key in ("text", "tokens", "budget", "query", "kept", "notes"))
        assert row["dropped_count"] == len(alone["dropped"]) and "timings_ms" not in row


def test_explain_names_what_was_dropped(tmp_path):
    pack_many(PACKER, tasks(2), tmp_path / "out", explain=True)
    assert all(
        len(row["dropped"]) == row["dropped_count"] and row["dropped"][0]["reason"] for row in rows(tmp_path / "out")
    )


@pytest.mark.parametrize("name", BAD)
def test_a_bad_task_is_a_row_with_its_error_and_its_id(tmp_path, name):
    good = tasks(2)
    found = pack_many(PACKER, [good[0], BAD[name], good[1]], tmp_path / "out")
    first, bad, last = rows(tmp_path / "out")
    assert found.errors == 1 and found.first_error == bad["error"]["message"]
    assert (bad["task"], bad["id"]) == (1, BAD[name]["id"]) and bad["error"]["kind"] in ("InputError", "BudgetError")
    assert first["text"] and last["text"]


@given(st.lists(ANYTHING, min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_whatever_is_given_every_task_has_its_row(tmp_path_factory, given_tasks):
    folder = tmp_path_factory.mktemp("any")
    pack_many(PACKER, given_tasks, folder / "out", batch=2, budget=20)
    found = list(rows(folder / "out"))
    assert [row["task"] for row in found] == list(range(len(given_tasks)))
    for row, task in zip(found, given_tasks, strict=True):
        assert ("error" in row) != ("text" in row)
        if isinstance(task, dict) and isinstance(task.get("id"), str | int):
            assert row["id"] == task["id"]


def test_lines_that_are_no_json_are_rows_too(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_bytes(
        b'\n{"id": 1, \n\xff\xfe\n[1]\n' + json.dumps(tasks(1)[0]).encode() + b"\r\n" + b"[" * 100_000 + b"\n"
    )
    found = list(rows(pack_many(PACKER, path, tmp_path / "out").output))
    assert [("error" in row) for row in found] == [True, True, True, False, True]


def test_gzip_is_read_and_gives_the_same_rows(tmp_path):
    plain = write(tmp_path / "t.jsonl", tasks(3))
    (tmp_path / "t.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    for name in ("t.jsonl", "t.jsonl.gz"):
        pack_many(PACKER, tmp_path / name, tmp_path / f"out-{name}")
    assert content(tmp_path / "out-t.jsonl") == content(tmp_path / "out-t.jsonl.gz")


def test_a_stopped_run_does_only_what_is_missing(tmp_path):
    pack_many(PACKER, tasks(12), tmp_path / "whole", batch=2)
    with pytest.raises(Stop):
        pack_many(PACKER, tasks(12), tmp_path / "out", batch=2, progress=stop_after(6))
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("packs-*")}
    (tmp_path / "out" / ".packs-000005.jsonl.part").write_bytes(b"{")  # what a kill leaves of a write
    assert len(before) == 3
    seen = []
    found = pack_many(PACKER, tasks(12), tmp_path / "out", batch=2, progress=lambda *at: seen.append(at[1]))
    assert found.done_before == 3 and seen == [6, 8, 10, 12]
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert all((tmp_path / "out" / name).stat().st_mtime_ns == at for name, at in before.items())


def test_where_nothing_is_missing_no_cluster_is_asked(tmp_path):
    pack_many(PACKER, tasks(3), tmp_path / "out")
    assert pack_many(PACKER, tasks(3), tmp_path / "out", ray="127.0.0.1:1").done_before == 1


HARMS = {
    "cut": lambda b: b[:-5],
    "another number": lambda b: b.replace(b'"task": 2', b'"task": 9'),
    "empty": lambda b: b"",
    "no JSON": lambda b: b"[\n[\n",
    "changed text": lambda b: b.replace(b" the ", b" THE ", 1),
    "another order": lambda b: b"".join(reversed(b.splitlines(keepends=True))),
    "a second row twice": lambda b: b.splitlines(keepends=True)[0] * 2,
    "a row more": lambda b: b + b.splitlines(keepends=True)[1],
    "garbage in the second row": lambda b: b.splitlines(keepends=True)[0] + b"garbage\n",
    "another count of tokens": lambda b: b.replace(b'"tokens": ', b'"tokens": 1', 1),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_shard_is_found_and_made_anew(tmp_path, harm):
    pack_many(PACKER, tasks(5), tmp_path / "out", batch=2)
    whole = content(tmp_path / "out")
    shard = tmp_path / "out" / "packs-000001.jsonl"
    harmed = HARMS[harm](shard.read_bytes())
    assert harmed != shard.read_bytes()
    shard.write_bytes(harmed)
    with pytest.raises(fp.InputError, match=r"packs-000001.jsonl is not what was written"):
        list(rows(tmp_path / "out"))
    assert pack_many(PACKER, tasks(5), tmp_path / "out", batch=2).done_before == 2
    assert content(tmp_path / "out") == whole


def test_shards_that_changed_places_are_made_anew(tmp_path):
    pack_many(PACKER, tasks(4), tmp_path / "out", batch=2)
    whole = content(tmp_path / "out")
    first, second = (tmp_path / "out" / f"packs-00000{k}.jsonl" for k in (0, 1))
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other), second.write_bytes(one)
    assert pack_many(PACKER, tasks(4), tmp_path / "out", batch=2).done_before == 0
    assert content(tmp_path / "out") == whole


@pytest.mark.parametrize("left", [b"", b"garbage\n\xff\xfe\n", b"0123"])
def test_shards_without_their_checksum_are_made_anew(tmp_path, left):
    pack_many(PACKER, tasks(4), tmp_path / "out", batch=2)
    sums = tmp_path / "out" / "SHA256SUMS"
    sums.write_bytes(sums.read_bytes().splitlines(keepends=True)[0] + left)  # the second is lost, or cut short
    assert pack_many(PACKER, tasks(4), tmp_path / "out", batch=2).done_before == 1
    assert len(list(rows(tmp_path / "out"))) == 4
    assert pack_many(PACKER, tasks(4), tmp_path / "out", batch=2).done_before == 2


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"packer": fp.ContextPacker(unit="sentence")}, 'unit: "auto", now "sentence"'),
        ({"packer": fp.ContextPacker(tokenizer="cl100k_base")}, "tokenizer"),
        ({"packer": fp.ContextPacker(embedder=Letters())}, "embedder"),
        ({"packer": replace(PACKER, field=fp.FieldSettings(limit=3))}, "field"),
        ({"tasks": tasks(5)}, "count: 4, now 5"),
        ({"tasks": [*tasks(3), tasks(9)[8]]}, "tasks"),
        ({"batch": 3}, "batch: 2, now 3"),
        ({"budget": 9}, "budget"),
        ({"explain": True}, "explain"),
    ],
)
def test_another_run_is_refused(tmp_path, changed, says):
    pack_many(PACKER, tasks(4), tmp_path / "out", batch=2)
    before = content(tmp_path / "out")
    call = {"packer": PACKER, "tasks": tasks(4), "batch": 2, **changed}
    with pytest.raises(fp.InputError, match="was begun with another") as error:
        pack_many(call.pop("packer"), call.pop("tasks"), tmp_path / "out", **call)
    assert says in str(error.value) and content(tmp_path / "out") == before


def test_two_runs_do_not_share_a_folder(tmp_path):
    inside, go_on, errors = threading.Event(), threading.Event(), []

    def wait(*at):
        inside.set()
        go_on.wait(20)

    first = threading.Thread(target=pack_many, args=(PACKER, tasks(2), tmp_path / "out"), kwargs={"progress": wait})
    first.start()
    assert inside.wait(20)
    with pytest.raises(fp.InputError, match="another run writes"):
        pack_many(PACKER, tasks(2), tmp_path / "out")
    go_on.set()
    first.join(20)
    assert not errors and pack_many(PACKER, tasks(2), tmp_path / "out").done_before == 1


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(fp.InputError, match="give a new folder"):
        pack_many(PACKER, tasks(1), tmp_path)
    (tmp_path / "letter.txt").unlink()
    (tmp_path / "manifest.json").write_text("[")
    with pytest.raises(fp.InputError, match="damaged"):
        pack_many(PACKER, tasks(1), tmp_path)


def test_an_embedders_trouble_is_tried_again(tmp_path):
    def packed(*fails):
        return pack_many(fp.ContextPacker(embedder=Letters(fails)), tasks(6), tmp_path / "out", batch=2)

    text = tasks(6)[3]["documents"][0]["text"]
    assert packed(text).errors == 1
    assert [row["error"]["kind"] for row in rows(tmp_path / "out") if "error" in row] == ["EmbeddingError"]
    found = packed()
    assert (found.errors, found.done_before) == (0, 2), "the shard with the trouble was done again, the others not"


def test_a_dead_embedder_ends_the_run_and_the_next_goes_on(tmp_path):
    dead = fp.ContextPacker(embedder=Letters([""]))
    with pytest.raises(fp.EmbeddingError, match="the line is dead"):
        pack_many(dead, tasks(4), tmp_path / "out", batch=2)
    assert not list((tmp_path / "out").glob("packs-*"))
    assert pack_many(fp.ContextPacker(embedder=Letters()), tasks(4), tmp_path / "out", batch=2).errors == 0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ({"tasks": []}, "no tasks"),
        ({"tasks": {"query": "q"}}, "iterable of dicts"),
        ({"tasks": "nowhere.jsonl"}, "nowhere.jsonl"),
        ({"batch": 0}, "batch is 0"),
        ({"budget": 0}, "budget is 0"),
        ({"index": "nowhere"}, "no index in"),
        ({"workers": 0}, "workers is 0"),
        ({"gpus": -1}, "gpus is -1"),
        ({"ray": ""}, "allowed: None, 'local'"),
    ],
)
def test_bad_calls_are_one_clear_error(tmp_path, call, says):
    with pytest.raises(fp.InputError, match=says):
        pack_many(PACKER, call.pop("tasks", tasks(1)), tmp_path / "out", **call)


def test_names_of_the_release_before_give_the_new_ones_with_a_warning():
    import fieldpack.parallel as parallel

    for old, new in (("Where", "ComputeOptions"), ("Work", "Worker"), ("outcomes", "run_jobs")):
        with pytest.warns(DeprecationWarning, match=f"{old} is now {new}"):
            assert getattr(parallel, old) is getattr(parallel, new)
    with pytest.raises(AttributeError, match="it has ComputeOptions"):
        parallel.nothing  # noqa: B018


def test_rows_of_an_unfinished_run_say_so(tmp_path):
    with pytest.raises(fp.InputError, match="no folder of packs"):
        list(rows(tmp_path))
    pack_many(PACKER, tasks(4), tmp_path / "out", batch=2)
    (tmp_path / "out" / "packs-000001.jsonl").unlink()
    with pytest.raises(fp.InputError, match="not there yet"):
        list(rows(tmp_path / "out"))


@pytest.mark.parametrize("unit", ["auto", "paragraph", "sentence"])
@pytest.mark.parametrize("embedder", ["static", "letters"])
def test_the_joined_index_is_the_one_that_is_made_at_once(tmp_path, unit, embedder):
    packer = fp.ContextPacker(embedder=Letters() if embedder == "letters" else "static", unit=unit)
    code = fp.Document("code", "def f(x):\n    return x\n\n\ndef g(y):\n    return y\n", "f.py", {"path": "f.py"})
    documents = [*corpus(40), fp.Document("blank", "  \n", "A title alone"), code, *map(str.upper, "ab")]
    packer.index(documents).save(tmp_path / "once", vectors=True)
    found = index_corpus(packer, documents, tmp_path / "joined", batch=7)
    once, joined = content(tmp_path / "once"), content(tmp_path / "joined")
    assert {name: body for name, body in joined.items() if not name.startswith("parts/")} == once
    assert set(joined) - set(once) == {"parts/manifest.json"}
    assert found.pack("harbour chart", 60).text == packer.index(documents).pack("harbour chart", 60).text


def test_a_stopped_index_goes_on_and_a_finished_one_is_loaded(tmp_path):
    with pytest.raises(Stop):
        index_corpus(PACKER, corpus(20), tmp_path / "i", batch=4, progress=stop_after(8))
    kept = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "i" / "parts").glob("part-*")}
    assert len(kept) == 2
    seen = []
    index_corpus(PACKER, corpus(20), tmp_path / "i", batch=4, progress=lambda *at: seen.append(at[1]))
    assert seen == [12, 16, 20]
    again = index_corpus(PACKER, corpus(20), tmp_path / "i", batch=4, progress=stop_after(0))
    assert len(again.documents) == 20
    with pytest.raises(fp.InputError, match="another"):
        index_corpus(PACKER, corpus(21), tmp_path / "i", batch=4)


def test_a_damaged_part_is_made_anew(tmp_path):
    with pytest.raises(Stop):
        index_corpus(PACKER, corpus(20), tmp_path / "i", batch=4, progress=stop_after(8))
    part = tmp_path / "i" / "parts" / "part-000001.npz"
    part.write_bytes(part.read_bytes()[:-30])
    assert len(index_corpus(PACKER, corpus(20), tmp_path / "i", batch=4).documents) == 20


def test_tasks_without_documents_read_the_index(tmp_path):
    index = PACKER.index(corpus())
    index.save(tmp_path / "index")
    asked = [{"id": k, "query": f"the {word} of the harbour"} for k, word in enumerate(("tide", "pilot", "rope"))]
    pack_many(PACKER, asked, tmp_path / "out", index=tmp_path / "index", budget=50)
    for row, task in zip(rows(tmp_path / "out"), asked, strict=True):
        assert row["text"] == index.pack(task["query"], 50).text and row["tokens"] <= 50
    PACKER.index(corpus(61)).save(tmp_path / "index")
    with pytest.raises(fp.InputError, match="another index"):
        pack_many(PACKER, asked, tmp_path / "out", index=tmp_path / "index", budget=50)


def test_a_packer_travels_as_what_it_was_made_from(tmp_path):
    weights = tmp_path / "weights.json"
    weights.write_bytes(verified("scorer/weights.json").read_bytes())
    service = fp.EmbeddingService("static", cache=tmp_path / "v.sqlite", progress=lambda *at: None)
    packer = fp.ContextPacker(embedder=service, scorer=weights, cite=True, field=fp.FieldSettings(limit=5))
    documents = [document["text"] for document in tasks(1)[0]["documents"]]
    before = packer.pack("what does the tide do", documents, 50)
    sent = pickle.dumps(PackerSpec.of(packer))
    assert len(sent) < 40_000, "what was loaded stays behind"
    weights.unlink()
    arrived = pickle.loads(sent).build()
    assert arrived.pack("what does the tide do", documents, 50).text == before.text
    assert (arrived.cite, arrived.field, arrived.embedder._cache_path) == (True, packer.field, None)


def test_a_relative_model_folder_travels_whole(tmp_path, monkeypatch):
    (tmp_path / "model").symlink_to(root() / "static")
    monkeypatch.chdir(tmp_path)
    spec = PackerSpec.of(fp.ContextPacker(embedder="./model"))
    monkeypatch.chdir("/")
    assert spec.build().embedder.dims == 256


def test_what_a_run_was_made_with_names_weights_and_counts(tmp_path):
    assert made_with(PACKER) == made_with(fp.ContextPacker())
    others = [
        fp.ContextPacker(embedder="cascade"),
        fp.ContextPacker(embedder=Letters()),
        replace(PACKER, residue_weight=2.0),
    ]
    others.append(fp.ContextPacker(reranker=Letters()))
    others.append(fp.ContextPacker(embedder=fp.EmbeddingService("cascade", second=Letters())))
    assert len({json.dumps(made_with(p)) for p in (PACKER, *others)}) == 6


@pytest.mark.parametrize(
    ("model", "device", "use"),
    [
        ("static", "auto", ""),
        ("minilm", "auto", ""),
        ("minilm", "cuda", "must"),
        ("cascade", "auto", ""),
        ("cascade", "cuda:1", "must"),
        ("owner/model", "auto", "may"),
        ("owner/model", "cpu", ""),
        ("http://127.0.0.1:9", "cuda", ""),
        (Letters(), "auto", ""),
    ],
)
def test_which_models_ask_for_a_gpu(model, device, use):
    assert gpu_use(fp.EmbeddingService(model, device=device)) == use


def test_a_reranker_asks_for_a_gpu_like_any_model():
    static, minilm = fp.EmbeddingService(), fp.EmbeddingService("minilm", device="cuda")
    assert gpu_use(static, minilm) == "must" and gpu_use(static, None) == ""
    assert gpu_use(static, fp.EmbeddingService("owner/model")) == "may"


def test_a_reranker_travels_with_its_packer():
    sent = pickle.dumps(PackerSpec.of(fp.ContextPacker(reranker=fp.EmbeddingService("minilm", cache="vectors.sqlite"))))
    arrived = pickle.loads(sent).build()
    assert arrived.reranker.name == "minilm" and arrived.reranker._cache_path is None
    assert PackerSpec.of(fp.ContextPacker()).build().reranker is None


def test_a_folder_of_a_transformer_may_use_a_gpu(tmp_path):
    (tmp_path / "modules.json").write_text("[]")
    assert gpu_use(fp.EmbeddingService(tmp_path)) == "may"
    (tmp_path / "model.onnx").write_bytes(b"")
    assert gpu_use(fp.EmbeddingService(tmp_path)) == ""


@pytest.mark.parametrize(
    ("resources", "compute", "gpu", "wanted"),
    [
        ({"CPU": 8.0}, ComputeOptions("auto"), "", PoolSize(8, 1.0, 0.0)),
        ({"CPU": 8.0}, ComputeOptions("auto", workers=3), "", PoolSize(3, 1.0, 0.0)),
        ({"CPU": 8.0}, ComputeOptions("auto", cores=2), "", PoolSize(4, 2, 0.0)),
        ({"CPU": 8.0}, ComputeOptions("auto"), "may", PoolSize(8, 1.0, 0.0)),
        ({"CPU": 32.0, "GPU": 4.0}, ComputeOptions("auto"), "may", PoolSize(4, 1.0, 1.0)),
        ({"CPU": 32.0, "GPU": 4.0}, ComputeOptions("auto"), "", PoolSize(32, 1.0, 0.0)),
        ({"CPU": 32.0, "GPU": 4.0}, ComputeOptions("auto", gpus=0.25), "may", PoolSize(16, 1.0, 0.25)),
        ({"CPU": 8.0, "GPU": 4.0}, ComputeOptions("auto", gpus=0), "may", PoolSize(8, 1.0, 0)),
        ({"CPU": 2.0, "GPU": 4.0}, ComputeOptions("auto"), "must", PoolSize(2, 1.0, 1.0)),
    ],
)
def test_what_is_asked_of_a_cluster(resources, compute, gpu, wanted):
    assert pool_size(resources, compute, gpu) == wanted


@pytest.mark.parametrize(
    ("resources", "compute", "gpu", "says"),
    [
        ({"CPU": 8.0}, ComputeOptions("auto"), "must", "1 GPUs a worker and the cluster has 0"),
        ({"CPU": 8.0, "GPU": 1.0}, ComputeOptions("auto", gpus=2), "may", "2 GPUs a worker and the cluster has 1"),
        ({"CPU": 2.0}, ComputeOptions("auto", cores=4), "", "4 cores and the cluster has 2"),
        ({}, ComputeOptions("auto"), "", "the cluster has 0"),
    ],
)
def test_what_a_cluster_cannot_give_is_said_at_once(resources, compute, gpu, says):
    with pytest.raises(fp.InputError, match=says):
        pool_size(resources, compute, gpu)


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "head:", ":6379", "head:0", "head:99999", "head:port"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(fp.InputError, match="HOST:PORT"):
        check_reachable(address)


def answering(reply):
    """The address of a server that answers one caller so; None: not at all."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        with server:
            line, _ = server.accept()
            with line, contextlib.suppress(OSError):
                line.recv(100)
                if reply is not None:
                    line.sendall(reply)
                line.recv(100)

    threading.Thread(target=serve, daemon=True).start()
    return f"127.0.0.1:{server.getsockname()[1]}"


def test_who_does_not_answer_is_no_cluster(monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for address, says in (
        (f"127.0.0.1:{port}", "refused"),
        (answering(None), "it does not answer"),
        (answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "something else"),
    ):
        with pytest.raises(fp.InputError, match=says):
            check_reachable(address)
    check_reachable(answering(b"\x00\x00\x06\x04\x00\x00\x00\x00\x00"))  # gRPC's first frame: SETTINGS


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("The actor 69 is unavailable: RPC error.\nSee the log.", "gave up (Exception: The actor 69 is unavailable"),
        (
            "ray::Worker() (pid=1)\n  At least one argument could not be computed\nray.exceptions.RaySystemError: no\n"
            "Traceback:\n  File x\nModuleNotFoundError: No module named 'fieldpack'\n\nTo change retries, configure.",
            "a worker failed: ModuleNotFoundError: No module named 'fieldpack' (",
        ),
    ],
)
def test_what_ended_a_run_is_said_in_one_line(said, why):
    assert why in cluster._cause(Exception(said)) and "\n" not in cluster._cause(Exception(said))


def test_without_ray_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    calls = (
        lambda: pack_many(PACKER, tasks(1), tmp_path / "a", ray="local"),
        lambda: index_corpus(PACKER, corpus(2), tmp_path / "b", ray="local"),
        lambda: pack_many(PACKER, tmp_path / "t.parquet", tmp_path / "c"),
    )
    for call in calls:
        with pytest.raises(fp.MissingExtraError, match=r"pip install 'fieldpack\[ray\]'"):
            call()


def test_the_command_line_packs_tasks(tmp_path, capsys):
    path = write(tmp_path / "t.jsonl", [*tasks(3), BAD["budget 0"]])
    call = ["batch", str(path), "--output", str(tmp_path / "out"), "--batch", "2"]
    assert run(call) == 0
    first = capsys.readouterr()
    assert "4 tasks in 2 shards" in first.out and "1 of 4 tasks have errors; the first: budget is 0" in first.err
    assert run([*call, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["done_before"] == 2
    assert run([*call, "--unit", "sentence"]) == 2
    assert "was begun with another unit" in capsys.readouterr().err


def test_the_option_that_batch_replaces_packs_the_same_and_says_so(tmp_path, capsys):
    path = write(tmp_path / "t.jsonl", [*tasks(3), BAD["budget 0"]])
    options = ["--batch", "2", "--explain", "--titles", "-b", "50"]
    assert run(["batch", str(path), "-o", str(tmp_path / "a"), *options, "--json"]) == 0
    summary, errors = capsys.readouterr()
    assert run(["pack", "--tasks", str(path), "-o", str(tmp_path / "b"), *options, "--json"]) == 0
    by_option, warned = capsys.readouterr()
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert json.loads(by_option) == {**json.loads(summary), "output": str(tmp_path / "b")}
    warning, _, rest = warned.partition("\n")
    assert "fieldpack batch" in warning and rest == errors


def test_the_command_line_indexes_and_packs_over_the_index(tmp_path, capsys):
    for document in corpus(5):
        (tmp_path / f"{document.id}.txt").write_text(document.text)
    files = [str(p) for p in sorted(tmp_path.glob("*.txt"))]
    assert run(["index", *files, "-o", str(tmp_path / "i")]) == 0
    assert "5 documents" in capsys.readouterr().out
    assert run(["pack", "-q", "the harbour", "-b", "40", "--index", str(tmp_path / "i")]) == 0
    over_index = capsys.readouterr().out
    assert run(["pack", "-q", "the harbour", "-b", "40", *files]) == 0
    assert capsys.readouterr().out == over_index
    asked = write(tmp_path / "t.jsonl", [{"query": "the harbour"}])
    assert run(["batch", str(asked), "-o", str(tmp_path / "o"), "-b", "40", "--index", str(tmp_path / "i")]) == 0
    assert next(rows(tmp_path / "o"))["text"] + "\n" == over_index


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--tasks", "t"], "--output"),
        (["--tasks", "t", "-o", "o", "-q", "x"], "--query does not go with --tasks"),
        (["--tasks", "t", "-o", "o", "README.md"], "PATH... does not go with --tasks"),
        (["-q", "x", "-b", "5", "README.md", "--ray", "auto"], "--ray goes with fieldpack batch"),
        (["-q", "x", "-b", "5", "README.md", "--index", "i"], "say one of them"),
        (["-q", "x", "-b", "5"], "no files given"),
        (["--tasks", "nowhere.jsonl", "-o", "o"], "nowhere.jsonl"),
    ],
)
def test_options_that_do_not_go_together(arguments, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["pack", *arguments]) == 2
    out = capsys.readouterr()
    assert says in out.err and "Traceback" not in out.err and not (tmp_path / "o").exists()


def test_progress_is_a_line_at_times_where_there_is_no_terminal(capsys, monkeypatch):
    from fieldpack.cli import show

    monkeypatch.setattr(show, "_EVERY", 0.0)
    with show.Progress(as_lines=True) as progress:
        progress("pack", 64, 1000)
    assert capsys.readouterr().err == "fieldpack: pack 64 of 1000\n"
    with show.Progress() as progress:
        assert progress is None
