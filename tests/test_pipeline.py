"""The main job, whole: the budget, verbatim text, reasons, determinism, bad input."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fieldpack as fp
from fieldpack.packing.problem import SHORTLIST

TOPICS = {
    "rush": "Rush is a Canadian rock band. Neil Peart was its drummer. It released the album Counterparts in 1993.",
    "peart": "Neil Peart was a musician and writer. He was inducted into the Modern Drummer Hall of Fame in 1983.",
    "azurite": "Azurite is a soft, deep blue copper mineral. It forms by the weathering of copper ore deposits.",
    "bread": "Sourdough bread is leavened with wild yeast. A starter needs flour, water and a few days of patience.",
    "tides": "Tides are caused by the gravity of the Moon and the Sun. Spring tides come at new and full moon.",
}
DOCS = [fp.Document(name, text, title=name.title()) for name, text in TOPICS.items()]
QUERY = "Which Canadian rock band had a drummer in the Modern Drummer Hall of Fame?"
WORDS = st.lists(
    st.sampled_from([*" ".join(TOPICS.values()).split(), "\n\n", "naïve", "中文。", "🙂", "# H\n\n"]), min_size=1
)
TEXTS = st.lists(WORDS.map(" ".join), min_size=1, max_size=5).filter(lambda ts: any(t.strip() for t in ts))


@pytest.fixture(scope="module")
def packer():
    return fp.ContextPacker(enough=1.0)


@given(
    TEXTS,
    st.integers(1, 400),
    st.sampled_from(["auto", "paragraph", "sentence"]),
    st.sampled_from(["source", "edges", "relevance"]),
    st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_the_promises(texts, budget, unit, order, cite):
    packer = fp.ContextPacker(unit=unit, order=order, cite=cite)
    result = packer.pack("drummer of the rock band", texts, budget)
    assert result.tokens == packer.tokenizer.count(result.text) <= budget
    documents = {f"doc-{i}": t for i, t in enumerate(texts)}
    for item in (*result.kept, *result.dropped):
        assert documents[item.doc_id][item.start : item.end] == item.text
        assert item.reason and 0 <= item.score <= 1
    for item in result.kept:
        assert item.text in result.text
    ranges = sorted((k.doc_id, k.start, k.end) for k in (*result.kept, *result.dropped))
    assert len(ranges) == len(set(ranges)) == len(result.segments)
    for name, text in documents.items():
        covered = np.zeros(len(text), int)
        for doc, start, end in ranges:
            if doc == name:
                covered[start:end] += 1
        assert covered.max(initial=0) <= 1
        assert all(c or ch.isspace() for c, ch in zip(covered, text, strict=True)), "text outside all segments"
    if order == "source":
        places = [result.text.index(k.text) for k in result.kept]
        assert places == sorted(places) or len(set(places)) < len(places) or _repeats(result)


def _repeats(result):
    """A short segment may stand earlier inside another one; then its first occurrence says nothing of the order."""
    return any(a is not b and a.text in b.text for a in result.kept for b in result.kept)


def test_spans_are_the_verbatim_pieces_of_the_text(packer):
    result = packer.pack(QUERY, DOCS, 60)
    for span in result.spans:
        first, last = result.segments[span.first], result.segments[span.last]
        assert result.text[span.start : span.end] == DOCS[first.doc].text[first.start : last.end]


def test_evidence_is_found_and_the_rest_is_left(packer):
    result = packer.pack(QUERY, DOCS, 60)
    assert {"rush", "peart"} <= {k.doc_id for k in result.kept}
    assert max(k.score for k in result.kept) > 5 * min(d.score for d in result.dropped)
    assert all("enters with about +" in d.reason for d in result.dropped)


def test_what_a_reason_estimates_comes_true(packer):
    """What is first in the queue enters as said; the last estimate lets all in."""
    result = packer.pack(QUERY, DOCS, 40)
    more = {int(d.reason.rsplit("+", 1)[1].split()[0]): d for d in result.dropped}
    first = more[min(more)]
    again = packer.pack(QUERY, DOCS, 40 + min(more))
    assert (first.doc_id, first.start) in {(k.doc_id, k.start) for k in again.kept}
    assert not packer.pack(QUERY, DOCS, 40 + max(more)).dropped


def test_a_reason_counts_the_header_of_every_document_before_it_however_many_there_are(packer):
    """In release 0.1 headers counted for the rows alone that were looked at closely."""
    texts = [f"Entry {k} of the ledger is of parcel {k * 7919 % 10007}." for k in range(2 * SHORTLIST + 200)]
    documents = [fp.Document(f"n{k}", text, f"Page {k}") for k, text in enumerate(texts)]
    result = replace(packer, cite=True, unit="paragraph").pack("tide", documents, 300)
    places = {}
    for d in result.dropped:
        place, more = re.search(r"place (\d+) of those left out: enters with about \+(\d+) tokens", d.reason).groups()
        places[int(place)] = (int(more), d)
    assert sorted(places) == list(range(1, len(result.dropped) + 1))
    count, titles = packer.tokenizer.count, {d.id: d.title for d in documents}
    for place in range(10, len(places)):
        (before, _), (more, d) = places[place], places[place + 1]
        # A row, the gap mark before it, and the header of its document with a number of two digits.
        assert more - before == d.tokens + 1 + count(f"[99] {titles[d.doc_id]} ({d.doc_id})\n")


def test_segments_do_not_depend_on_the_budget(packer):
    """In release 0.1 a long list was cut into other pieces for another budget."""
    rows = [f"- item {k} of the list tells of the tide in harbour {k} and of its height" for k in range(90)]
    documents = ["# List\n\n" + "\n".join(rows), "\n".join(TOPICS.values()) * 20, "def f(x):\n    return x\n" * 60]
    for unit in ("auto", "paragraph", "sentence"):
        packs = [replace(packer, unit=unit).pack("harbour 7", documents, b) for b in (1, 9, 80, 400, 5000)]
        assert len({tuple(p.segments) for p in packs}) == 1
        assert all(p.relevance.total.tolist() == packs[0].relevance.total.tolist() for p in packs)


def test_a_full_budget_is_used():
    topics = [topic.rstrip(".") for topic in TOPICS.values()]  # of copies one would stand
    texts = [
        f"Report {i}. " + " ".join(f"{t}, as of {i}." for t in topics) + f" Entry {i} ends here." for i in range(40)
    ]
    for budget in (1000, 2000, 3500):
        result = fp.ContextPacker().pack(QUERY, texts, budget)
        assert 0.985 * budget <= result.tokens <= budget


def test_pins(packer):
    result = packer.pack(QUERY, DOCS, 80, pins=["bread", ("tides", 0, 20)])
    assert DOCS[3].text in result.text and DOCS[4].text[:20].strip() in result.text
    assert {k.reason for k in result.kept if k.doc_id in ("bread", "tides")} == {"pinned by the caller"}
    cut = [k for k in result.kept if k.doc_id == "tides"]
    assert [(k.start, k.end) for k in cut] == [(0, len(DOCS[4].text[:20].rstrip()))]
    with pytest.raises(fp.BudgetError) as caught:
        packer.pack(QUERY, DOCS, 5, pins=["bread"])
    assert caught.value.needed > 5 and str(caught.value.needed) in str(caught.value)
    assert packer.pack(QUERY, DOCS, caught.value.needed, pins=["bread"]).tokens == caught.value.needed
    with pytest.raises(fp.InputError, match="no document id"):
        packer.pack(QUERY, DOCS, 50, pins=["nobody"])
    with pytest.raises(fp.InputError, match="no range"):
        packer.pack(QUERY, DOCS, 50, pins=[("rush", 5, 5000)])


def test_several_queries_share_one_budget(packer):
    both = packer.pack([QUERY, "what leavens sourdough bread"], DOCS, 60)
    assert {"rush", "bread"} <= {k.doc_id for k in both.kept}
    weighed = packer.pack([QUERY, ("what leavens sourdough bread", 0.05)], DOCS, 60)
    assert weighed.relevance.total[-4:].max() < both.relevance.total[-4:].max()


def test_nothing_relevant_enough_is_an_empty_pack_that_says_so(packer):
    result = replace(packer, min_relevance=0.9).pack("quarterly tax filing deadline", DOCS, 100)
    assert result.text == "" and result.tokens == 0 and not result.kept
    assert "nothing is relevant enough" in result.notes[0]
    assert all("below the boundary's 0.90" in d.reason for d in result.dropped)


def test_nothing_fits_says_so_or_is_cut(packer):
    result = packer.pack(QUERY, DOCS, 2)
    assert result.text == "" and "nothing fits" in result.notes[0]
    cut = replace(packer, allow_cut=True).pack(QUERY, DOCS, 4)
    assert 0 < cut.tokens <= 4 and cut.text in TOPICS["rush"] + TOPICS["peart"]
    assert "cut" in cut.notes[0]


def test_a_segment_of_exactly_the_budget_is_packed(packer):
    text = "Tides are caused by the Moon."
    tokens = packer.tokenizer.count(text)
    result = packer.pack("what causes tides", [text, "Bread is baked."], tokens)
    assert result.text == text and result.tokens == tokens


def test_citations_are_charged_and_cannot_be_forged(packer):
    sly = [*DOCS, fp.Document("x\n[1] fake", "Neil Peart of the rock band Rush.", title="a\n\n[2] b")]
    result = replace(packer, cite=True).pack(QUERY, sly, 120)
    assert result.tokens == packer.tokenizer.count(result.text) <= 120
    heads = [line for line in result.text.split("\n") if line.startswith("[")]
    assert len(heads) == len({k.doc_id for k in result.kept})
    assert [h[: h.index("]") + 1] for h in heads] == [f"[{i}]" for i in range(1, len(heads) + 1)]


@pytest.mark.parametrize(
    ("query", "documents", "budget", "says"),
    [
        ("", DOCS, 10, "query is empty"),
        ([], DOCS, 10, "give a string"),
        (["a", " "], DOCS, 10, "query is empty"),
        ("a", DOCS, 0, "budget is 0"),
        ("a", DOCS, -3, "budget is -3"),
        ("a", DOCS, 1.5, "whole number"),
        ("a", [DOCS[0], DOCS[0]], 10, "same id"),
        ("a", [3], 10, "document 0 is a int"),
        ("a", ["ok", "\ud800 lone"], 10, "surrogate"),
    ],
)
def test_bad_input_is_said_clearly(packer, query, documents, budget, says):
    with pytest.raises(fp.InputError, match=says):
        packer.pack(query, documents, budget)


def test_bad_settings_are_said_at_construction():
    with pytest.raises(fp.SettingsError, match="unit"):
        fp.ContextPacker(unit="word")
    with pytest.raises(fp.SettingsError, match="min_relevance"):
        fp.ContextPacker(min_relevance=2)
    with pytest.raises(fp.UnknownNameError, match="static"):
        fp.ContextPacker(embedder="statik")
    with pytest.raises(fp.InputError, match="o200k_base"):
        fp.ContextPacker(tokenizer="no-such-encoding")


def test_special_tokens_are_text(packer):
    result = packer.pack("what ends the text", ["The marker <|endoftext|> ends the text. <|fim_prefix|> too."], 50)
    assert "<|endoftext|>" in result.text


def test_json_round_trips(packer):
    found = packer.pack(QUERY, DOCS, 60).to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert {"text", "tokens", "budget", "query", "kept", "dropped", "field", "timings_ms"} <= set(found)
    assert set(found["kept"][0]) == {"doc_id", "start", "end", "tokens", "score", "reason"}


def test_state_goes_in_and_out(packer):
    first = packer.pack(QUERY, DOCS, 60)
    second = packer.pack(QUERY, DOCS, 60, state=first.state)
    assert second.state.turn == first.state.turn + 1 == 2
    assert len(first.state.residue) == len(first.kept)


def test_a_language_the_model_does_not_know_is_said(packer):
    german = ["Die Gezeiten entstehen durch die Anziehungskraft des Mondes.", "Brot wird mit Sauerteig gebacken."]
    result = packer.pack("Wodurch entstehen die Gezeiten?", german, 20)
    assert any("does not know this language" in n for n in result.notes)
    assert result.kept[0].doc_id == "doc-0"


def test_another_process_gives_the_same_bytes():
    code = (
        f"import sys, json; sys.path.insert(0, {os.path.dirname(__file__)!r}); "
        "import test_pipeline as t; import fieldpack as fp; "
        "d = fp.ContextPacker().pack(t.QUERY, t.DOCS, 60).to_dict(); d.pop('timings_ms'); print(json.dumps(d))"
    )
    outs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, threads in (("0", "1"), ("77", "2"))
    }
    assert len(outs) == 1


def test_the_default_path_imports_neither_torch_nor_scikit_learn():
    code = (
        "import sys, fieldpack as fp; fp.ContextPacker().pack('a b', ['a b c.'], 10); "
        "print([m for m in ('torch', 'sklearn', 'scipy', 'sentence_transformers', 'faiss') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    # The check can fail:
    code = code.replace("import sys,", "import sklearn, sys,")
    assert "sklearn" in subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("query", "passage", "named"),
    [
        ("ร้านเปิดกี่โมง", "ร้านเปิดเวลาเก้าโมงเช้าทุกวัน", ["ร้านเปิด", "โมง"]),
        ("仓库的门几点打开？", "仓库的门早上八点打开。", ["仓库的门", "点打开"]),
        ("倉庫はいつ開きますか", "倉庫は八時に開きます。", ["倉庫は", "開きます"]),
        ("متى يفتح المخزن؟", "يفتح المخزن في الثامنة.", ["يفتح", "المخزن"]),
        ("किताब कहाँ रखी है", "किताब अलमारी में रखी है।", ["किताब", "रखी", "है"]),
    ],
)
def test_a_reason_names_wording_that_stands_in_the_passage(query, passage, named):
    other = fp.Document("other", "Sourdough is leavened with wild yeast.")
    result = fp.ContextPacker().pack(query, [fp.Document("a", passage), other], 60)
    reason = next(k.reason for k in result.kept if k.doc_id == "a")
    listed = reason.partition("query words (")[2].partition(")")[0].removesuffix(", …").split(", ")
    assert listed and all(word in passage for word in listed)
    assert set(listed) <= set(named)
