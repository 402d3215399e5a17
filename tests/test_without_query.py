"""Packs without a query: the most salient segments, inside the budget, with reasons; a carried state asks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import fieldpack as fp
from fieldpack.corpus.reading import of_rows, read_field
from fieldpack.relevance.row_words import RowWords
from fieldpack.relevance.salience import CARRIED, SALIENCE, TALK, cues, names, rank, salience
from fieldpack.summary import key_points, optimizer, summary

TIDES = (
    "Tides are caused by the gravity of the Moon and the Sun. Spring tides come at new and at full moon. "
    "Neap tides come when the Moon is at a quarter.",
    "Harbours keep tables of the tides. A pilot reads the height of the tide from the table of the harbour.",
    "The tide in a narrow bay is higher. In the Bay of Fundy the tide reaches sixteen metres.",
)
BREAD = (
    "A sourdough starter wants flour, water and some days of patience. Feed the starter with flour every morning.",
    "The dough rests in the cold. A long rest of the dough gives the bread its taste.",
    "Bake the bread in a hot oven. The crust of the bread browns in thirty minutes.",
)
COPPER = (
    "Azurite is a deep blue copper mineral. Azurite forms where copper ore weathers.",
    "Malachite is a green copper mineral. Miners of copper ground malachite for green paint.",
    "Copper ore is crushed and smelted. The copper runs from the furnace into moulds.",
)
ALL = [fp.Document(f"{name}.md", "\n\n".join(texts)) for name, texts in zip("abc", (TIDES, BREAD, COPPER), strict=True)]
WORDS = st.sampled_from(" ".join((*TIDES, *BREAD, *COPPER)).split())
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=14).map(" ".join), min_size=1, max_size=8)


@given(TEXTS, st.integers(1, 120))
@settings(max_examples=40, deadline=None)
def test_the_budget_holds_and_what_is_kept_stands_in_the_documents(texts: list[str], budget: int) -> None:
    result = fp.ContextPacker().pack(None, texts, budget)
    assert result.tokens <= budget
    assert result.tokens == fp.tokenizer("o200k_base").count(result.text)
    bodies = {d.id: d.text for d in result.corpus.documents}
    assert all(bodies[k.doc_id][k.start : k.end] == k.text for k in (*result.kept, *result.dropped))
    assert all(0 <= k.score <= 1 and k.reason.startswith("salience ") for k in (*result.kept, *result.dropped))


@given(TEXTS)
@settings(max_examples=20, deadline=None)
def test_a_larger_budget_holds_as_much_or_more_and_the_same_input_gives_the_same_pack(texts: list[str]) -> None:
    packer = fp.ContextPacker()
    first = packer.pack(None, texts, 20)
    sizes = [first.repack(budget).tokens for budget in (10, 20, 40, 80, 10_000)]
    assert sizes == sorted(sizes)
    left = first.repack(10_000).dropped
    assert all("; is the same as " in d.reason for d in left), "all is in but copies of what is in"
    assert packer.pack(None, texts, 20).to_dict()["kept"] == first.to_dict()["kept"]


def test_the_share_of_basins_that_are_reached_grows_with_the_budget_until_all_are() -> None:
    result = fp.ContextPacker(unit="paragraph").pack(None, ALL, 40)
    basin = result.reading.attractors.basin
    assert basin.max() >= 1
    reached = []
    for budget in (40, 80, 160, 400):
        inside = result.repack(budget).inside
        reached.append(len(set(basin[inside].tolist()) - {-1}))
    assert reached == sorted(reached)
    assert reached[-1] == basin.max() + 1


def test_the_first_packed_segment_of_a_basin_opens_it_and_names_its_words() -> None:
    result = fp.ContextPacker(unit="paragraph").pack(None, ALL, 120)
    basin = result.reading.attractors.basin
    opens = [i for i in np.flatnonzero(result.inside) if "opens basin" in result.reasons.of(int(i))]
    assert len({int(basin[i]) for i in opens}) == len(opens) == len(set(basin[result.inside].tolist()) - {-1})
    named = " ".join(result.reasons.of(int(i)) for i in opens)
    assert any(word in named for word in ("tide", "tides", "bread", "dough", "copper", "starter"))


def test_the_state_of_a_conversation_asks_in_the_place_of_a_query() -> None:
    packer = fp.ContextPacker()
    for topic, name in ((TIDES, "a.md"), (BREAD, "b.md"), (COPPER, "c.md")):
        state = packer.explore(topic).state
        kept = packer.pack(None, ALL, 60, state=state).kept
        own = sum(k.tokens for k in kept if k.doc_id == name)
        alone = sum(k.tokens for k in packer.pack(None, ALL, 60).kept if k.doc_id == name)
        assert own > alone
        assert own > 0.5 * sum(k.tokens for k in kept)


def test_a_conversation_of_one_line_is_carried_too() -> None:
    packer = fp.ContextPacker()
    state = packer.explore(["We spoke of the crust of the bread and of the oven."]).state
    own = [sum(k.tokens for k in packer.pack(None, ALL, 40, state=s).kept if k.doc_id == "b.md") for s in (None, state)]
    assert own[1] > own[0]


def test_a_pinned_segment_is_in_and_a_blank_query_is_still_an_error() -> None:
    packer = fp.ContextPacker()
    assert packer.pack(None, ALL, 100, pins=["c.md"]).text.endswith("moulds.")
    for query in ("", "  ", [], [" "]):
        with pytest.raises(fp.InputError, match="query"):
            packer.pack(query, ALL, 100)


def test_a_long_stream_without_a_query_is_refused() -> None:
    with pytest.raises(fp.InputError, match="screened by its query"):
        fp.ContextPacker().pack_stream(None, (f"text {i}" for i in range(20)), 50, hold=2, block=2)


def test_salience_is_one_minus_the_geometric_mean_of_the_ranks() -> None:
    packer = fp.ContextPacker()
    corpus = packer.read(ALL)
    reading = of_rows(read_field(corpus, None, None, packer.field), corpus)
    found = salience(corpus, reading)
    assert tuple(found.parts) == SALIENCE
    ranks = np.stack([1 - values.astype(np.float64) for values in found.parts.values()])
    assert np.allclose(found.total, 1 - np.exp(np.log(ranks).mean(0)), atol=1e-4)
    assert CARRIED in salience(corpus, reading, packer.explore(BREAD).state.carried).parts


def test_a_rank_is_the_share_of_the_tokens_up_to_a_row() -> None:
    corpus = fp.ContextPacker(unit="paragraph").read(
        [fp.Document(f"t{i}", text) for i, text in enumerate(["one two three", "four", "five six seven eight nine"])]
    )
    cost = corpus.rows.tokens + 1
    ranks = rank(np.array([0.0, 2.0, 1.0], np.float32), corpus)
    half, total = cost / 2, cost.sum()
    before = np.array([cost[1] + cost[2], 0, cost[1]])
    assert np.allclose(ranks, (before + half) / total)
    assert np.allclose(rank(np.zeros(3, np.float32), corpus), 0.5), "what is alike is in no order"


@given(TEXTS)
@settings(max_examples=20, deadline=None)
def test_centrality_is_lexrank_by_matrices(texts: list[str]) -> None:
    corpus = fp.ContextPacker().read([fp.Document(f"t{i}", text) for i, text in enumerate(texts)])
    words, n = RowWords.from_corpus(corpus), len(corpus.rows)
    table = np.zeros((n, len(corpus.vocabulary.stems)))
    np.add.at(table, (words.row, corpus.vocabulary.stem[words.word]), words.idf)
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)
    cosine = table @ table.T
    assume(not (np.abs(cosine - 0.1) < 1e-5).any())
    graph = (cosine > 0.1).astype(float)
    graph /= np.maximum(graph.sum(1, keepdims=True), 1)
    place = np.ones(n)
    for _ in range(200):
        place = 0.15 + 0.85 * graph.T @ (place / place.mean())
    found = words.centrality(corpus.vocabulary.stem)
    assert np.allclose(found / found.mean(), place / place.mean(), rtol=0.05)


def test_numbers_names_and_definitions_are_found() -> None:
    texts = [
        "A tide is the rise of the sea.",
        "It rose by 16 metres in 1869.",
        "We met in the Bay of Fundy, and left.",
        "x = 3",
    ]
    corpus = fp.ContextPacker(unit="paragraph").read([fp.Document(f"t{i}", text) for i, text in enumerate(texts)])
    found = cues(RowWords.from_corpus(corpus), corpus)
    assert found["definitions"].argmax() == 0
    assert found["numbers"].argmax() in (1, 3) and found["numbers"][[0, 2]].max() == 0
    assert names(corpus).tolist() == [0, 0, 2, 0]


def test_a_turn_of_a_talk_counts_for_its_rare_words_and_names() -> None:
    chatter = [fp.Document(f"c{i}", "Well, that sounds really great to me, thank you.", "AB"[i % 2]) for i in range(24)]
    told = fp.Document("told", "We flew to Lisbon and saw the Belem tower with Joana.", "A")
    packer = fp.ContextPacker()
    result = packer.pack(None, [*chatter[:20], told, *chatter[20:]], 20)
    assert set(result.scored.relevance.parts) == set(TALK)
    assert [k.doc_id for k in result.kept] == ["told"]


@pytest.mark.parametrize("shorten", [summary, key_points])
def test_a_summary_is_verbatim_and_inside_its_budget(shorten) -> None:
    packer, text = fp.ContextPacker(), "\n\n".join((*TIDES, *BREAD))
    for budget in (1, 15, 40, 80):
        made = shorten(packer, text, budget)
        assert packer.tokenizer.count(made) <= budget
        assert all(piece.strip(" -") in text for piece in made.replace("…", "\n").splitlines())
    assert shorten(packer, "  ", 10) == ""


def test_compression_by_the_packer_keeps_its_target() -> None:
    text = "\n\n".join((*TIDES, *BREAD, *COPPER))
    for target in (0, 5, 30, 100):
        done = optimizer(fp.ContextPacker()).run(text, target)
        assert done.tokens <= target


def test_a_topic_has_words_a_passage_of_its_own_documents_and_a_share() -> None:
    explored = fp.ContextPacker().explore(ALL)
    assert explored.topics
    assert sum(t.share for t in explored.topics) <= 1 + 1e-6
    bodies = {d.id: d.text for d in ALL}
    for k, topic in enumerate(explored.topics):
        assert topic.paragraphs == int((explored.reading.attractors.basin == k).sum())
        assert topic.passage.doc_id in dict(topic.documents)
        assert 0 <= topic.passage.start < topic.passage.end <= len(bodies[topic.passage.doc_id])
        assert all(word in " ".join(bodies.values()).lower() for word in topic.words)
        assert sum(share for _, share in topic.documents) == pytest.approx(1)


def test_what_is_new_and_what_faded_since_an_earlier_look_is_told_apart(tmp_path) -> None:
    packer = fp.ContextPacker()
    first = packer.explore([*TIDES, *BREAD])
    first.state.save(tmp_path)
    since = fp.FieldState.load(tmp_path)
    assert since.words == first.state.words
    same = packer.explore([*TIDES, *BREAD], since=since)
    assert not any(t.new for t in same.topics)
    assert same.faded == ()
    later = packer.explore(COPPER, since=since)
    assert all(t.new for t in later.topics)
    assert len(later.faded) == len(since.centers)
    assert packer.explore(COPPER).faded == ()
    assert all(t.new is None for t in first.topics)


def test_the_report_says_that_there_was_no_query() -> None:
    result = fp.ContextPacker().pack(None, ALL, 60)
    assert "What the documents are about" in result.to_html()
    assert result.to_dict()["query"] is None


def test_a_topic_of_old_texts_is_known_and_one_of_new_texts_is_new():
    old = [f"The kiln fires the glaze of pot {k} at a great heat." for k in range(12)]
    old += [f"Bees of hive {k} gather nectar from clover and lime trees." for k in range(12)]
    new = [f"The court heard appeal {k} and the judge ruled on the contract." for k in range(12)]
    packer = fp.ContextPacker()
    first = packer.explore([fp.Document(f"old{k}", text) for k, text in enumerate(old)])
    every = [fp.Document(f"d{k}", text) for k, text in enumerate(old[::2] + new)]
    topics = packer.explore(every, since=first.state).topics
    assert {topic.new for topic in topics if {"kiln", "bees"} & set(topic.words)} == {False}
    assert {topic.new for topic in topics if "court" in topic.words} == {True}


def test_the_gist_of_a_folder_of_documentation_opens_neither_with_code_nor_with_questions(tmp_path) -> None:
    """A makefile, blocks of code and lone questions say less of what a folder is about than its sentences do."""
    build = "".join(f"kiln{k}:\n\tkiln build kiln --kiln {k} kiln\n\n" for k in range(4))
    (tmp_path / "Makefile").write_text(f"# Makefile of the kiln documentation of kilns\n#\n\n{build}")
    subjects = (
        "glazes and their firing",
        "clay and its shrinking",
        "shelves and their wash",
        "cones and their bending",
    )
    for k, subject in enumerate(subjects):
        (tmp_path / f"page{k}.md").write_text(
            f"# Kiln page {k}\n\nSo what does a kiln do to {subject}?\n\nA kiln page on {subject} tells what "
            f"kilns do to them. Kilns are heated slowly for {subject}, and page {k} says how slowly that should be.\n\n"
            f"```python\nimport kiln\nkiln.fire(kiln.Kiln({k}))\n```\n\nPotters note what each kiln did to {subject}.\n"
        )
    packed = fp.ContextPacker(unit="sentence").pack(None, fp.read(tmp_path), 70)
    said = [k.text for k in packed.kept]
    assert any("A kiln page on" in t for t in said)
    assert not any("?" in t or "import kiln" in t or "akefile" in t or "kiln build" in t for t in said), said
