"""Packs of a stream: the pack of the whole where all is held, bounded memory and honest counts where it is not."""

from __future__ import annotations

import gc
import random
import weakref

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import fieldpack as fp
from fieldpack.embed.testing import HashEmbedder

TOPICS = (
    "The lighthouse on the cape was built in 1842. Its lamp burned whale oil until the war.",
    "Quinces grow in the orchard behind the abbey. The monks boil them into paste in October.",
    "The tunnel took nine years to dig through granite. Two hundred miners worked on it.",
    "A cable ferry carries six cars over the river. It runs from dawn until ten at night.",
    "Glass is blown with soda ash on the island. The furnace is lit once a year in May.",
)
QUERY = "How long did it take to dig the tunnel?"


class Text(str):
    """A string that can be watched."""

    __slots__ = ("__weakref__",)


def noise(rng: random.Random, k: int) -> str:
    words = ["parcel", "ledger", "barley", "harbour", "stove", "meadow", "copper", "tariff", "sluice", "kiln", "rope"]
    made = " ".join(rng.choices(words, k=9))
    return f"Entry {k} says {made}. It was copied from book {k * 7919 % 997}."


def shown(result: fp.Result) -> dict[str, object]:
    found = result.to_dict()
    del found["timings_ms"]
    return found


@given(
    st.lists(st.sampled_from([*TOPICS, "", "# Head\n\nBody text here.", "…"]), min_size=1, max_size=12),
    st.integers(1, 5),
    st.sampled_from(["auto", "paragraph", "sentence"]),
)
@example([*TOPICS[:2], "", "…"], 1, "auto")  # documents without text have no say in whether titles tell apart
@settings(max_examples=40, deadline=None)
def test_a_stream_of_which_all_is_held_is_the_pack_of_the_whole(texts, block, unit):
    docs = [fp.Document(f"chunk {k}", t, t[:12]) for k, t in enumerate(texts)]
    if not any(t.strip() for t in texts):
        return
    packer = fp.ContextPacker(unit=unit)
    whole = packer.pack(QUERY, docs, 40)
    stream = packer.pack_stream(QUERY, iter(docs), 40, block=block)
    assert stream.text == whole.text and [k[:5] for k in stream.kept] == [k[:5] for k in whole.kept]
    ours = {(d.doc_id, d.start): d.score for d in (*stream.kept, *stream.dropped)}
    for d in (*whole.kept, *whole.dropped):
        assert ours[d.doc_id, d.start] == pytest.approx(d.score, abs=1e-4)


def test_one_block_is_a_pack_like_any_other():
    packer, state = fp.ContextPacker(), fp.ContextPacker().pack(QUERY, TOPICS, 30).state
    stream = packer.pack_stream([QUERY, ("glass", 0.5)], iter(TOPICS), 50, pins=["doc-1"], state=state)
    assert shown(stream) == shown(packer.pack([QUERY, ("glass", 0.5)], TOPICS, 50, pins=["doc-1"], state=state))
    assert stream.skipped.documents == 0 and "passed" not in shown(stream)
    assert packer.pack_stream(QUERY, TOPICS[2], 30).text in TOPICS[2]


def test_a_long_stream_is_never_in_memory_at_once():
    rng, alive, most = random.Random(0), weakref.WeakSet(), 0
    count, hold, block = 20_000, 300, 500

    def made():
        nonlocal most
        for k in range(count):
            text = Text(TOPICS[2] if k == 11_111 else noise(rng, k))
            alive.add(text)
            if k % 97 == 0:
                most = max(most, len(alive))
            yield fp.Document(f"note {k}", text)

    result = fp.ContextPacker().pack_stream(QUERY, made(), 60, hold=hold, block=block)
    gc.collect()
    assert most <= 1.5 * hold + 2 * block and len(alive) <= 1.5 * hold
    assert "note 11111" in {k.doc_id for k in result.kept} and result.tokens <= 60
    held = len({d.doc_id for d in (*result.kept, *result.dropped)})
    assert held + result.skipped.documents == count
    assert len(result.kept) + len(result.dropped) + result.skipped.segments == 2 * count
    assert f"{result.skipped.segments:,} segments of {result.skipped.documents:,} documents" in result.notes[-1]
    assert shown(result)["passed"]["segments"] == result.skipped.segments == result.repack(90).skipped.segments
    assert result.repack(90).tokens <= 90


def test_frequencies_are_those_of_the_whole_stream():
    rng = random.Random(1)
    docs = [fp.Document(f"n{k}", noise(rng, k)) for k in range(1500)]
    docs[700] = fp.Document("key", TOPICS[2])
    stream = fp.ContextPacker().pack_stream(QUERY, iter(docs), 60, hold=64, block=100)
    whole = fp.ContextPacker().pack(QUERY, docs, 60)
    corpus = stream.corpus
    here, there = corpus.frequencies, whole.corpus.frequencies
    v, w = corpus.vocabulary, whole.corpus.vocabulary
    for word, i in v.index.items():
        j = w.index[word]
        assert here.words[i] == there.words[j] and here.idf[i] == there.idf[j]
        assert here.stems[v.stem[i]] == there.stems[w.stem[j]]
        assert here.stem_idf[v.stem[i]] == there.stem_idf[w.stem[j]]
    assert here.unseen_idf == there.unseen_idf
    place = np.array([700 if d.id == "key" else int(d.id[1:]) for d in corpus.documents])
    apart = np.diff(place[corpus.paragraphs.spans.doc]) > 1
    assert (np.diff(corpus.sequence)[apart] != 0).all(), "what stood between them is gone"


def test_evidence_is_kept_as_by_the_pack_of_the_whole():
    """Twelve questions over 3,000 notes, each answered by two of them; a tenth of the notes is held."""
    rng = random.Random(2)
    names = [f"Oskar {a}{b}" for a in ("Lind", "Berg", "Holm") for b in ("strand", "gren", "qvist", "dal")]
    docs = [fp.Document(f"n{k}", noise(rng, k), f"Book {k}") for k in range(3000)]
    gold = {}
    for q, name in enumerate(names):
        one, two = rng.sample(range(100, 2900), 2)
        docs[one] = fp.Document(f"n{one}", f"{name} built the dam of Varga {q}. He sold it later.", name)
        docs[two] = fp.Document(
            f"n{two}", f"The dam of Varga {q} was sold to the town by {name} in 1903.", f"Varga {q}"
        )
        gold[f"When was the dam that {name} built sold?"] = {f"n{one}", f"n{two}"}
    packer, found = fp.ContextPacker(), {"whole": 0, "stream": 0}
    index = packer.index(docs)
    for query, wanted in gold.items():
        found["whole"] += len(wanted & {k.doc_id for k in index.pack(query, 80).kept})
        stream = packer.pack_stream(query, iter(docs), 80, hold=300, block=500)
        found["stream"] += len(wanted & {k.doc_id for k in stream.kept})
    assert found["stream"] >= found["whole"] >= 20


def test_what_is_pinned_and_what_is_named_is_held():
    rng = random.Random(3)
    docs = [fp.Document(f"n{k}", noise(rng, k), f"Book {k}") for k in range(2000)]
    docs[400] = fp.Document("dam", "Its keeper has lived there since.", "Ebba Sundqvist")
    docs[900] = fp.Document("who", "The tunnel took nine years to dig; Ebba Sundqvist led the miners.", "Tunnel")
    packer = fp.ContextPacker()
    result = packer.pack_stream(QUERY, iter(docs), 60, pins=["n3", ("n1500", 0, 10)], hold=32, block=1000)
    assert {"n3", "n1500", "who"} <= {k.doc_id for k in result.kept}
    assert "dam" in {d.id for d in result.corpus.documents}, "named by the best document, in the same block"
    with pytest.raises(fp.InputError, match="no document id"):
        packer.pack_stream(QUERY, iter(docs), 60, pins=["nobody"], hold=32, block=1000)


def test_a_sentence_embedder_reads_only_what_is_held():
    read = []

    class Watched(HashEmbedder):
        def embed(self, texts):
            read.extend(texts)
            return super().embed(texts)

    rng = random.Random(4)
    docs = [noise(rng, k) for k in range(1200)]
    result = fp.ContextPacker(Watched()).pack_stream(QUERY, iter(docs), 60, hold=50, block=200)
    assert result.tokens <= 60 and len(read) <= 100


def test_bad_streams_are_refused_in_a_sentence():
    packer = fp.ContextPacker()
    with pytest.raises(fp.InputError, match="document 3 is a int"):
        packer.pack_stream(QUERY, iter(["a", "b", "c", 4]), 50, block=2)
    with pytest.raises(fp.InputError, match="ids must be unique"):
        packer.pack_stream(QUERY, (fp.Document(f"d{k % 6}", TOPICS[k % 5]) for k in range(12)), 50, block=5)
    with pytest.raises(fp.InputError, match="hold is 0"):
        packer.pack_stream(QUERY, iter(TOPICS), 50, hold=0)


def test_a_pinned_document_without_text_asks_for_nothing():
    documents = [
        fp.Document("a", "The tides are caused by the Moon."),
        fp.Document("blank", " \n"),
        fp.Document("b", "B."),
    ]
    packer = fp.ContextPacker()
    streamed = packer.pack_stream("tides", iter(documents), 40, pins=["blank"], block=1)
    assert streamed.text == packer.pack("tides", documents, 40, pins=["blank"]).text
    with pytest.raises(fp.InputError, match="nobody"):
        packer.pack_stream("tides", iter(documents), 40, pins=["nobody"], block=1)
