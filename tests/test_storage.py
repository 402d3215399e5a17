"""Saved files: whole or not there, checked when they are read, and those of release 0.1 still readable."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldpack import storage
from fieldpack.errors import InputError


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["a.txt", "b.bin", "c.json"]), st.binary(max_size=50)),
    st.lists(st.integers(-9, 9), max_size=9),
)
def test_a_folder_gives_back_what_was_saved(tmp_path_factory, files, numbers):
    folder = tmp_path_factory.mktemp("folder")
    storage.save(folder, "thing", 3, {"note": "ü"}, files, {"numbers": np.array(numbers, np.int64)})
    head = storage.load(folder, "thing", 3)
    assert head["note"] == "ü"
    assert {name: (folder / name).read_bytes() for name in files} == files
    array = storage.array(folder, "numbers")
    assert array.tolist() == numbers and not array.flags.writeable
    assert sorted(p.name for p in folder.iterdir()) == sorted([*files, "numbers.npy", "thing.json"])


def test_every_changed_byte_of_a_folder_is_noticed(tmp_path):
    storage.save(tmp_path, "thing", 1, {}, {"a.txt": b"hello"}, {})
    for place in range(5):
        changed = bytearray(b"hello")
        changed[place] ^= 1
        (tmp_path / "a.txt").write_bytes(bytes(changed))
        with pytest.raises(InputError, match=r"a\.txt does not match its checksum"):
            storage.load(tmp_path, "thing", 1)
        assert storage.load(tmp_path, "thing", 1, verify=False)  # the size is still right
    (tmp_path / "a.txt").write_bytes(b"hell")
    with pytest.raises(InputError, match="has 4 bytes, 5 were written"):
        storage.load(tmp_path, "thing", 1, verify=False)


def test_a_head_cannot_name_files_outside_its_folder(tmp_path):
    storage.save(tmp_path / "thing", "thing", 1, {}, {}, {})
    (tmp_path / "other.txt").write_bytes(b"x")
    head = json.loads((tmp_path / "thing" / "thing.json").read_text("utf-8"))
    head["files"] = {"../other.txt": [1, hashlib.sha256(b"x").hexdigest()]}
    (tmp_path / "thing" / "thing.json").write_text(json.dumps(head), "utf-8")
    with pytest.raises(InputError, match=r"describes '\.\./other\.txt' wrongly"):
        storage.load(tmp_path / "thing", "thing", 1)


def test_an_archive_gives_back_what_was_saved(tmp_path):
    arrays = {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "empty": np.zeros((0, 0), np.float32)}
    storage.save_archive(tmp_path / "deep" / "er", "thing", 2, "thing", {"note": 1}, arrays)
    read = storage.load_archive(tmp_path / "deep" / "er", "thing", 2, "thing", ("x", "empty"))
    assert read.facts["note"] == 1
    for name, array in arrays.items():
        assert read.arrays[name].dtype == array.dtype and (read.arrays[name] == array).all()


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match=r"cannot write the thing to .*give a folder that can be written"):
        storage.save(tmp_path / "file", "thing", 1, {}, {}, {})
    with pytest.raises(InputError, match=r"cannot write the field state to .*give a folder that can be written"):
        storage.save_archive(tmp_path / "file", "field", 1, "field state", {}, {})


def test_a_reader_beside_two_writers_sees_one_whole_content(tmp_path):
    path = tmp_path / "shared"
    contents = [bytes([letter]) * 100_000 for letter in b"ab"]
    storage.write_file(path, contents[0])
    stop = threading.Event()

    def write(content: bytes) -> None:
        while not stop.is_set():
            storage.write_file(path, content)

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    try:
        seen = {path.read_bytes() for _ in range(200)}
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert seen <= set(contents)
    assert [p.name for p in tmp_path.iterdir()] == ["shared"]


@pytest.mark.parametrize("durable", [False, True])
def test_a_write_that_fails_leaves_the_old_content_and_no_other_file(tmp_path, monkeypatch, durable):
    path = tmp_path / "file"
    storage.write_file(path, b"old", durable=durable)

    def fails(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="No space"):
        storage.write_file(path, b"new", durable=durable)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_checksums_are_those_of_the_standard_library(tmp_path):
    (tmp_path / "f").write_bytes(b"fieldpack")
    expected = hashlib.sha256(b"fieldpack").hexdigest()
    assert storage.sha256(b"fieldpack") == storage.sha256_of_file(tmp_path / "f") == expected
