"""Labels of question, file and quote, and a boundary that is used as it was fitted, on the command line."""

import json

import pytest

from fieldpack.cli.app import run


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tides.md").write_text(
        "# Tides\n\nTides are caused by the gravity\nof the Moon. They come twice a day.\n"
    )
    (tmp_path / "bread.md").write_text("A starter needs flour and water. Rye is sown late.\n")
    return tmp_path


def labels(folder, *rows):
    path = folder / "labels.jsonl"
    path.write_text("\n".join(json.dumps(r) for r in rows))
    return str(path)


TIDES = {"question": "what causes tides", "file": "tides.md", "quote": "caused by the gravity of the Moon"}
BREAD = {"query": "what does a starter need", "file": "bread.md", "quotes": ["needs flour", "and water"]}


def test_question_file_and_quote_are_enough_and_pack_takes_the_boundary(folder, capsys):
    out = folder / "boundary.json"
    assert run(["calibrate", labels(folder, TIDES, BREAD), "--out", str(out), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts == json.loads(out.read_text()) and facts["queries"] == 2 and facts["evidence"] >= 2
    assert (facts["model"], facts["unit"]) == ("static", "auto") and facts["units"] and len(facts["pool"]) == 3
    asked = [
        "pack",
        str(folder / "tides.md"),
        str(folder / "bread.md"),
        "-q",
        "what causes tides",
        "-b",
        "30",
        "--json",
    ]
    assert run([*asked, "--boundary", str(out)]) == 0
    packed = json.loads(capsys.readouterr().out)
    assert all(k["score"] >= facts["min_relevance"] - 1e-6 for k in packed["kept"])
    assert not any("fitted" in note for note in packed["notes"])


def test_another_model_or_unit_than_the_boundarys_is_refused_and_another_pool_is_noted(folder, capsys):
    out = folder / "boundary.json"
    assert run(["calibrate", labels(folder, TIDES), "--out", str(out), "--unit", "paragraph"]) == 0
    asked = ["pack", str(folder / "tides.md"), "-q", "tides", "-b", "30", "--boundary", str(out)]
    assert run(asked) == 2
    assert "fitted with unit paragraph and is used with auto" in capsys.readouterr().err
    many = folder / "many.txt"
    many.write_text("\n\n".join(f"Passage {k} is of the tide at noon." for k in range(40)))
    assert run([*asked[:1], str(many), *asked[2:], "--unit", "paragraph"]) == 0
    assert "fitted on pools of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({**TIDES, "quote": "no such words"}, "line 1: tides.md does not hold the quote"),
        ({**TIDES, "file": "gone.md"}, "line 1: the file 'gone.md' is not there"),
        ({**TIDES, "question": " "}, "line 1: no question"),
        ({"question": "q", "quote": "x"}, "line 1: no file"),
        ({**TIDES, "scores": [1, 2]}, "scores is a list"),
    ],
)
def test_a_label_that_is_none_is_named_by_its_line(folder, capsys, row, says):
    assert run(["calibrate", labels(folder, row)]) == 2
    assert says in capsys.readouterr().err


def test_the_documents_asked_can_be_more_than_the_labels_name(folder, capsys):
    assert run(["calibrate", labels(folder, TIDES), "--documents", str(folder), "--json"]) == 0
    more = json.loads(capsys.readouterr().out)["pool"][0]
    (folder / "labels.jsonl").unlink()
    assert run(["calibrate", labels(folder, TIDES), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pool"][0] < more
