"""The command line as people and programs meet it."""

import json
import os
import pty
import subprocess
import sys

import pytest

from fieldpack.cli.app import run
from fieldpack.text.tokens import tokenizer

NOTES = "# Tides\n\nTides are caused by the Moon and the Sun.\n\n## Spring tides\n\nSpring tides come at full moon.\n"
BREAD = "Sourdough bread needs a starter. The starter is fed with flour and water every day."


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tides.md").write_text(NOTES, "utf-8")
    (tmp_path / "bread.txt").write_text(BREAD, "utf-8")
    (tmp_path / "data.bin").write_bytes(b"\x00\x01\x02")
    return tmp_path


def called(capsys, *arguments):
    code = run([str(a) for a in arguments])
    out = capsys.readouterr()
    assert "Traceback" not in out.err
    return code, out.out, out.err


def test_pack_prints_clean_text_when_piped(capsys, folder):
    code, out, err = called(capsys, "pack", "-q", "what causes tides", "-b", 30, folder)
    assert code == 0 and "caused by the Moon" in out and "\x1b" not in out
    assert tokenizer("o200k_base").count(out.rstrip("\n")) <= 30
    assert "skipped" in err and "data.bin" in err, "what was not read is named"


def test_what_was_skipped_is_one_line_and_with_v_a_line_each(capsys, folder):
    for name in ("one.bin", "two.bin", ".hidden"):
        (folder / name).write_bytes(b"\x00")
    (folder / ".gitignore").write_text("*.log\n")
    (folder / "a.log").write_text("The Moon causes tides, says the log.")
    question = ("pack", "-q", "what causes tides", "-b", 60, folder)
    _, _, err = called(capsys, *question)
    assert err == "fieldpack: read 2 files; skipped 6: 3 binary, 2 hidden, 1 ignored by .gitignore (-v names them)\n"
    _, _, err = called(capsys, *question, "-v")
    assert err.count("fieldpack: skipped ") == 6 and "one.bin is a binary file" in err and "a.log: ignored by" in err
    _, out, err = called(capsys, *question, "--all")
    assert "says the log" in out and "4 binary" in err


def test_the_charset_is_detected_or_named(capsys, tmp_path):
    (tmp_path / "a.txt").write_bytes("Die Größe der Straße".encode("cp850"))
    _, out, err = called(capsys, "pack", "-q", "Größe", "-b", 30, "--charset", "cp850", tmp_path)
    assert out == "Die Größe der Straße\n" and "charset" not in err
    (tmp_path / "a.txt").write_bytes("Die Größe der Straße".encode("cp1252"))
    _, out, err = called(capsys, "pack", "-q", "Größe", "-b", 30, tmp_path)
    assert out == "Die Größe der Straße\n" and "read as windows-1252 (detected; --charset NAME if that is wrong)" in err
    code, _, err = called(capsys, "pack", "-q", "Größe", "-b", 30, "--charset", "undefined", tmp_path)
    assert code == 2 and "charset 'undefined' is not known" in err


def test_json_has_the_fixed_keys(capsys, folder):
    code, out, _ = called(capsys, "pack", "-q", "what causes tides", "-b", 30, "--json", folder / "tides.md")
    found = json.loads(out)
    assert code == 0
    assert set(found) >= {"text", "tokens", "budget", "query", "kept", "dropped", "field", "timings_ms"}
    assert set(found["kept"][0]) == {"doc_id", "start", "end", "tokens", "score", "reason"}
    assert found["query"] == "what causes tides" and found["budget"] == 30
    for item in found["kept"]:
        assert NOTES[item["start"] : item["end"]] in found["text"]


def test_several_files_are_named_with_their_lines(capsys, folder, monkeypatch):
    monkeypatch.chdir(folder)
    question = ("pack", "-q", "what causes spring tides", "-b", 60, "tides.md", "bread.txt")
    _, out, _ = called(capsys, *question)
    first, _, rest = out.partition("\n")
    name, _, lines = first.removeprefix("[1] ").partition(":")
    top, bottom = (int(number) for number in lines.split("-"))
    assert name == "tides.md" and rest.startswith("\n".join(NOTES.split("\n")[top - 1 : bottom]))
    _, out, _ = called(capsys, *question, "--no-sources")
    assert "tides.md" not in out
    _, out, _ = called(capsys, *question, "--json")
    assert "tides.md" not in json.loads(out)["text"]
    _, out, _ = called(capsys, "pack", "-q", "what causes spring tides", "-b", 60, "tides.md")
    assert "tides.md" not in out, "a single file is known"
    _, out, _ = called(capsys, *question, "--cite")
    assert out.partition("\n")[0] == first, "--cite keeps the lines"
    _, out, _ = called(capsys, *question, "--cite", "--no-sources")
    assert out.startswith("[1] tides.md\n")
    _, out, _ = called(capsys, "pack", "-q", "starter", "-b", 12, "tides.md", "bread.txt")
    assert out == "Sourdough bread needs a starter.\n", "where no text would be left, the names stay away"


def test_title_id_and_lines_of_a_source_are_named_together(capsys, tmp_path):
    lines = [
        {"id": f"n{k}", "title": f"Note {k}", "text": f"First line.\nTides of harbour {k} rise."} for k in range(2)
    ]
    (tmp_path / "notes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for flags in (("--cite",), ("--cite", "--sources"), ("--titles", "--sources")):
        _, out, _ = called(capsys, "pack", "-q", "tides of harbour 1", "-b", 60, *flags, tmp_path / "notes.jsonl")
        assert "Note 1 (n1:" in out and "2)\nTides of harbour 1" in out.replace("1-2)\nFirst line.", "2)")
    _, out, _ = called(capsys, "pack", "-q", "tides of harbour 1", "-b", 60, "--titles", tmp_path / "notes.jsonl")
    assert "Note 1\n" in out and "n1:" not in out


def test_dropped_segments_are_counted_and_named_up_to_a_number(capsys, folder):
    question = ("pack", "-q", "what causes tides", "-b", 15, folder / "tides.md")
    _, out, _ = called(capsys, *question, "--json", "--dropped", 1)
    some = json.loads(out)
    _, out, _ = called(capsys, *question, "--json", "--dropped", "all")
    every = json.loads(out)
    assert some["dropped_total"] == every["dropped_total"] == len(every["dropped"]) > 1
    assert some["dropped"] == [max(every["dropped"], key=lambda d: d["score"])]
    _, _, err = called(capsys, *question, "--explain", "--dropped", 0)
    assert f"{every['dropped_total']} more were dropped" in err and "\n-" not in err
    code, _, err = called(capsys, *question, "--dropped", "few")
    assert code == 2 and "--dropped is 'few'" in err


def test_explain_fits_eighty_columns(capsys, folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    deep = folder / ("a-long-name-of-a-folder-" * 3) / "tides.md"
    deep.parent.mkdir()
    deep.write_text(NOTES, "utf-8")
    _, _, err = called(capsys, "pack", "-q", "what causes tides", "-b", 15, "--explain", deep, folder / "bread.txt")
    assert max(len(line) for line in err.splitlines()) <= 80 and "…" in err and "tides.md:3" in err


def test_explain_shows_every_decision(capsys, folder):
    code, out, err = called(capsys, "pack", "-q", "what causes tides", "-b", 15, "--explain", folder / "tides.md")
    assert code == 0 and "dropped" in err and "relevance" in err and "█" in err
    assert "█" not in out, "stdout stays clean when piped"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["pack", "-q", "a", "-b", "10", "nowhere.txt"], "nowhere.txt"),
        (["pack", "-q", "a", "-b", "10", "{}/data.bin"], "data.bin"),
        (["pack", "-q", "a", "-b", "0", "{}/bread.txt"], "budget is 0"),
        (["pack", "-q", " ", "-b", "10", "{}/bread.txt"], "query is empty"),
        (["pack", "-q", "a", "{}/bread.txt"], "no budget"),
        (["pack", "-q", "a", "-b", "ten", "{}/bread.txt"], "--budget"),
        (["pack", "-q", "a", "-b", "10", "-m", "gpt", "{}/bread.txt"], "static"),
        (["pack", "-q", "a", "-b", "10", "-e", "none_base", "{}/bread.txt"], "o200k_base"),
        (["pack", "-q", "a", "-b", "10", "--unit", "word", "{}/bread.txt"], "paragraph"),
        (["pack", "-q", "a", "-b", "10", "--order", "best", "{}/bread.txt"], "edges"),
        (["pack", "-q", "a", "-b", "10", "--pin", "who", "{}/bread.txt"], "who"),
        (["plan", "-w", "no-such-model"], "no-such-model"),
        (["plan", "-w", "1000", "--preset", "cube"], "pyramid"),
        (["plan", "-w", "1000", "--used", "system"], "system"),
        (["models", "burn"], "verify"),
        (["shell", "check", "nowhere.shell"], "nowhere.shell"),
        (["compress", "nowhere.txt", "-b", "5"], "nowhere.txt"),
        (["packk"], "packk"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_2(capsys, folder, arguments, says):
    code, out, err = called(capsys, *[a.format(folder) for a in arguments])
    assert code == 2 and out == ""
    assert err.count("\n") == 1 and err.startswith("fieldpack: ") and says in err


def test_another_encoding_is_read_as_it_is_and_may_be_read_on_as_utf_8(capsys, tmp_path):
    (tmp_path / "latin.txt").write_bytes("naïve café".encode("latin-1"))
    code, out, _ = called(capsys, "pack", "-q", "a", "-b", 10, tmp_path / "latin.txt")
    assert code == 0 and "naïve café" in out
    code, out, _ = called(
        capsys, "pack", "-q", "cafe", "-b", 20, "--encoding-errors", "replace", tmp_path / "latin.txt"
    )
    assert code == 0 and "caf" in out


def test_pins_that_cannot_fit_are_exit_3(capsys, folder):
    path = f"{folder}/bread.txt"
    code, out, err = called(capsys, "pack", "-q", "a", "-b", 5, "--pin", path, folder / "bread.txt")
    assert code == 3 and out == "" and "raise the budget to" in err
    code, out, _ = called(capsys, "pack", "-q", "tides", "-b", 50, "--pin", f"{path}:0:32", path, folder / "tides.md")
    assert code == 0 and BREAD[:32] in out


def test_a_budget_under_the_smallest_segment(capsys, folder):
    code, out, err = called(capsys, "pack", "-q", "starter", "-b", 1, folder / "bread.txt")
    assert code == 0 and out == "" and "nothing fits" in err
    code, out, err = called(capsys, "pack", "-q", "starter", "-b", 2, "--allow-cut", folder / "bread.txt")
    assert code == 0 and 0 < tokenizer("o200k_base").count(out.rstrip("\n")) <= 2


def test_stdin(folder):
    done = subprocess.run(
        [sys.executable, "-m", "fieldpack", "pack", "-q", "starter", "-b", "40", "-"],
        input=BREAD.encode(),
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().strip() == BREAD


def test_a_reader_that_goes_away_is_no_error(folder):
    command = f"{sys.executable} -m fieldpack pack -q tides -b 50 {folder}/tides.md | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    assert b"Traceback" not in done.stderr and b"BrokenPipe" not in done.stderr


def test_a_terminal_gets_the_summary(folder):
    main, other = pty.openpty()
    command = [sys.executable, "-m", "fieldpack", "pack", "-q", "tides", "-b", "50", f"{folder}/tides.md"]
    subprocess.run(
        command, stdout=other, stderr=other, env={**os.environ, "TERM": "xterm", "COLUMNS": "120"}, check=True
    )
    os.close(other)
    shown = b""
    try:
        while part := os.read(main, 65536):
            shown += part
    except OSError:
        pass
    assert b"of 50 tokens" in shown and b"kept" in shown and b"\x1b[" in shown


def test_demo_field_models_plan(capsys, folder):
    code, out, _ = called(capsys, "demo")
    assert code == 0 and "of 250 tokens" in out and "calibrate.md:" in out
    assert out.count("\n-  ") == 3 and "fieldpack pack --explain --dropped" in out, "demo has no --dropped of its own"
    code, out, _ = called(capsys, "field", "--json", folder / "tides.md", folder / "bread.txt")
    assert code == 0 and json.loads(out)["documents"] == 2
    code, out, _ = called(capsys, "models", "verify", "--json")
    assert code == 0 and all(m["verified"] for m in json.loads(out))
    code, out, _ = called(capsys, "plan", "-w", "16000", "--preset", "pyramid", "--used", "system=1800", "--json")
    plan = json.loads(out)
    assert code == 0 and sum(plan["budgets"].values()) == 16000


def test_shells(capsys, folder):
    good, bad = folder / "good.shell", folder / "bad.shell"
    good.write_text(
        '/field.manage{attractors=[{name="tides", strength=0.9, keywords=["tides", "moon"]}], '
        "boundaries={permeability=0.6}}\n/context.manage{budget={total_tokens=40}}\n"
    )
    bad.write_text("/token.budget{allocations={history=0.4\n")
    code, out, _ = called(capsys, "shell", "check", good)
    assert code == 0 and "ok" in out
    code, out, err = called(capsys, "shell", "check", good, bad)
    assert code == 2 and "bad.shell:" in out and "1 of 2" in err
    code, out, _ = called(capsys, "shell", "run", "--json", good)
    assert code == 0 and json.loads(out)["packer"]["budget"] == 40
    files = (folder / "tides.md", folder / "bread.txt")
    code, out, _ = called(capsys, "pack", "-q", "starter", "--shell", good, "--no-sources", *files)
    assert code == 0 and tokenizer("o200k_base").count(out.rstrip("\n")) <= 40 and "starter" in out
    code, roomy, _ = called(capsys, "pack", "-q", "starter", "--shell", good, "--enough", "1", "--no-sources", *files)
    assert code == 0 and len(out) < len(roomy), "what the command line says goes before the permeability"
    assert "ides" in roomy and "starter" in roomy, "the attractor draws what the query did not ask for"


def test_calibrate_gives_a_boundary_that_pack_takes(capsys, folder):
    passages = [{"id": f"p{i}", "text": t, "title": ""} for i, t in enumerate([BREAD, *NOTES.split("\n\n")[1::2]])]
    rows = [
        {"id": f"q{k}", "query": q, "passages": passages, "gold": [g], "answers": []}
        for k, (q, g) in enumerate([("what does a starter need", "p0"), ("what causes tides", "p1")] * 12)
    ]
    (folder / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)))
    out_file = folder / "boundary.json"
    code, out, _ = called(
        capsys,
        "calibrate",
        "--alpha",
        "0.2",
        "--out",
        out_file,
        "--json",
        "--unit",
        "paragraph",
        folder / "labels.jsonl",
    )
    found = json.loads(out)
    assert code == 0 and found["coverage_held_out"] >= 0.8 and json.loads(out_file.read_text()) == found
    code, out, _ = called(
        capsys, "pack", "-q", "what causes tides", "-b", 50, "--boundary", out_file, "--unit", "paragraph",
        folder / "tides.md", folder / "bread.txt",
    )  # fmt: skip
    assert code == 0


def streamed(*args, given, **more):
    command = [sys.executable, "-m", "fieldpack", "pack", "-q", "what causes tides", "-b", "40", "--stream", *args]
    return subprocess.run(command, input=given, capture_output=True, **more)


def test_a_stream_of_json_lines(folder):
    lines = [
        json.dumps({"id": f"n{k}", "text": f"Record {k} lists jars. It is kept in box {k % 31}."}) for k in range(5000)
    ]
    lines[77] = json.dumps({"id": "moon", "text": "Tides are caused by the Moon. It pulls at the sea, naïvely said."})
    done = streamed("--json", given="\n".join(lines).encode())
    found = json.loads(done.stdout)
    assert done.returncode == 0 and "moon" in {k["doc_id"] for k in found["kept"]} and found["tokens"] <= 40
    assert found["passed"]["documents"] > 0 and any("streamed past" in n for n in found["notes"])
    bad = streamed(given=b'{"text": "caf\xe9"}\n')
    assert bad.returncode == 2 and b"UTF-8" in bad.stderr and b"Traceback" not in bad.stderr
    assert streamed("--encoding-errors", "replace", given=b'{"text": "tides at the caf\xe9"}\n').returncode == 0
    for args, given, says in (((), b'{"text": "a"}\n{oops\n', b"line 2"), ((str(folder),), b"", b"--stream")):
        done = streamed(*args, given=given)
        assert done.returncode == 2 and says in done.stderr and b"Traceback" not in done.stderr
