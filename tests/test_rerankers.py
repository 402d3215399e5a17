"""Rerankers that read query and text together: functions, a real cross-encoder, servers, a decision model.

Each must change the pack by its scores, read only what can still win, and never be in the way of a pack.
"""

import pickle
import threading
import time

import numpy as np
import pytest
from embedding_servers import EmbeddingServer, hang_up, not_json, slow, status
from tiny_models import tiny_cross_encoder

import fieldpack as fp
from fieldpack.parallel.spec import PackerSpec
from fieldpack.relevance.rerank import candidates
from fieldpack.rerank.model import function_of
from fieldpack.rerank.service import RerankService, is_reranker

DOCS = [
    fp.Document("tides", "Tides are caused by the gravity of the Moon."),
    fp.Document("bread", "A starter of flour and water rises in a day."),
    fp.Document("azure", "Azurite is a deep blue mineral of copper ore."),
    fp.Document("rye", "Rye is sown late and it is cut in July here."),
]
QUERY = "what is blue"
BUDGET = 14


def wants(word):
    """A reranker that finds one word the only thing that matters."""
    return lambda query, texts: [10.0 if word in text else -10.0 for text in texts]


def first_kept(packer):
    result = packer.pack(QUERY, DOCS, BUDGET)
    return result.kept[0].doc_id, result.notes


@pytest.mark.parametrize("word, name", [("Rye", "rye"), ("Tides", "tides"), ("starter", "bread")])
def test_what_a_reranker_prefers_is_packed(word, name):
    assert first_kept(fp.ContextPacker(reranker=wants(word), rerank_weight=5.0)) == (name, ())


def test_a_reranker_changes_no_score():
    plain = fp.ContextPacker().pack(QUERY, DOCS, 100)
    other = fp.ContextPacker(reranker=wants("Rye")).pack(QUERY, DOCS, 100)
    np.testing.assert_array_equal(plain.relevance.total, other.relevance.total)


class ScoreServer(EmbeddingServer):
    """Scores by the word "Rye", worst first, with `index`. The form goes by the address."""

    def answer(self, handler, payload):
        texts = payload["texts"] if handler.path == "/rerank" else payload["documents"]
        rows = [(k, 9.0 if "Rye" in text else -9.0) for k, text in enumerate(texts)][::-1]
        if handler.path == "/rerank":
            if len(texts) > 32:
                return handler.reply(413, {"error": "batch size > maximum 32"})
            return handler.reply(200, [{"index": k, "score": s} for k, s in rows])
        return handler.reply(200, {"results": [{"index": k, "relevance_score": s} for k, s in rows], "usage": {}})


@pytest.mark.parametrize("path", ["/rerank", "/v1/rerank", "/v2/rerank"])
def test_servers_of_both_forms_are_read_by_their_index(path):
    with ScoreServer() as server:
        model = RerankService(server.root + path, remote_model="m", api_key="a-key-of-mine")
        assert first_kept(fp.ContextPacker(reranker=model, rerank_weight=5.0)) == ("rye", ())
        where, payload, headers = server.seen[0]
        assert where == path and payload["query"] == QUERY
        assert headers["Authorization"] == "Bearer a-key-of-mine"
        assert payload.get("model") == (None if path == "/rerank" else "m")
        many = RerankService(server.root + path, batch_size=100).scores("q", [f"text {k}" for k in range(70)])
        assert many.scores == (-9.0,) * 70 and not many.problem


@pytest.mark.parametrize(
    "fault",
    [status(500), status(400), status(401), hang_up, not_json, slow(3)],
    ids=["500", "400", "401", "cut", "html", "slow"],
)
def test_a_server_that_fails_is_a_note_and_the_pack_is_made_without_it(fault):
    plain = fp.ContextPacker().pack(QUERY, DOCS, BUDGET)
    with ScoreServer([fault] * 9) as server:
        model = RerankService(server.root + "/rerank", timeout=1.0, api_key="a-key-of-mine")
        result = fp.ContextPacker(reranker=model).pack(QUERY, DOCS, BUDGET)
    assert result.text == plain.text
    (note,) = result.notes
    assert "did not read all" in note and "the pack is without it" in note and "a-key-of-mine" not in note


@pytest.mark.parametrize(
    "model",
    [
        lambda query, texts: 1 / 0,
        lambda query, texts: [1.0],
        lambda query, texts: [float("nan")] * len(texts),
        lambda query, texts: "no numbers",
        lambda query, texts: time.sleep(5),
    ],
)
def test_a_function_that_fails_is_a_note(model):
    result = fp.ContextPacker(reranker=RerankService(model, timeout=0.3)).pack(QUERY, DOCS, BUDGET)
    assert result.text == fp.ContextPacker().pack(QUERY, DOCS, BUDGET).text
    assert "the pack is without it" in result.notes[0]


def test_what_was_read_before_the_time_was_over_counts():
    def reads_one(query, texts):
        time.sleep(0.25)
        return [1.0] * len(texts)

    done = RerankService(reads_one, timeout=0.6, batch_size=1).scores("q", ["a", "b", "c", "d", "e", "f"])
    assert done.scores[0] == 1.0 and done.scores[-1] is None and done.problem


def test_only_what_can_still_win_is_read_and_nothing_twice():
    read = []

    def model(query, texts):
        read.extend(texts)
        return [float(len(t)) for t in texts]

    many = [fp.Document(f"d{k}", f"Passage {k} of the blue book, of page {k * 7 % 101}.") for k in range(400)]
    packer = fp.ContextPacker(reranker=model)
    packer.pack("what is blue", many, 200)
    assert len(read) == candidates(400) < 400 and len(set(read)) == len(read)
    packer.pack("what is blue", many, 100)
    assert len(read) == candidates(400), "scores are kept"
    packer.pack("what is green", many, 100)
    assert len(read) > candidates(400)


def test_a_cross_encoder_of_sentence_transformers_is_read_by_pairs(tmp_path):
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(tiny_cross_encoder(tmp_path)), device="cpu")
    packer = fp.ContextPacker(reranker=model)
    assert isinstance(packer.reranker, RerankService)
    scores = packer.reranker.scores(QUERY, [d.text for d in DOCS]).scores
    assert scores == pytest.approx(model.predict([(QUERY, d.text) for d in DOCS]).tolist(), abs=1e-5)
    assert len(set(scores)) > 1
    preferred = {d.id for d, s in zip(DOCS, scores, strict=True) if s == max(scores)}
    strong = fp.ContextPacker(reranker=model, rerank_weight=50.0).pack(QUERY, DOCS, BUDGET)
    first = int(strong.scored.problem.logit.argmax())  # two are certain at such a weight: their odds tell them apart
    assert DOCS[strong.segments[first].doc].id in preferred and strong.notes == ()


def test_a_decision_model_of_langchain_is_asked_for_the_probability_of_yes():
    decisions = pytest.importorskip("langchain_core.decisions")

    class Decides(decisions.BaseDecisionModel):
        model: str = "decides"

        @property
        def _provider(self):
            return "test"

        def _classify(self, state, questions):
            assert state["question"] == QUERY
            p = 0.9 if "Rye" in state["text"] else 0.1
            return decisions.ClassifierResponse(
                model="decides", answers={name: {"type": "noul", "noul": p} for name in questions}
            )

    assert first_kept(fp.ContextPacker(reranker=Decides(), rerank_weight=5.0)) == ("rye", ())


def test_an_embedder_is_no_reranker_of_pairs():
    from fieldpack.embed.testing import HashEmbedder

    for model in (HashEmbedder(), lambda texts: [[1.0]] * len(texts), "minilm", "http://localhost/v1"):
        assert not is_reranker(model)
    assert is_reranker("http://localhost:8080/rerank") and is_reranker(wants("x"))
    assert isinstance(fp.ContextPacker(reranker=HashEmbedder()).reranker, fp.EmbeddingService)
    with pytest.raises(fp.InputError, match="3 parameters"):
        function_of(lambda query, texts, more: None)
    with pytest.raises(fp.InputError, match="cannot rerank"):
        RerankService(3)


def test_several_queries_take_the_best_of_their_scores():
    def model(query, texts):
        return [1.0 if query.split()[-1].lower() in text.lower() else 0.0 for text in texts]

    packer = fp.ContextPacker(reranker=model, rerank_weight=20.0)
    kept = {k.doc_id for k in packer.pack(["about rye", "about tides"], DOCS, 2 * BUDGET).kept}
    assert kept == {"rye", "tides"}


def wants_rye(query, texts):
    return wants("Rye")(query, texts)


def test_a_reranker_travels_with_its_packer_without_what_it_remembers():
    model = RerankService(wants_rye)
    model.scores("q", ["a"])
    sent = pickle.loads(pickle.dumps(PackerSpec.of(fp.ContextPacker(reranker=model, rerank_weight=5.0))))
    packer = sent.build()
    assert not packer.reranker._known and first_kept(packer)[0] == "rye"
    with ScoreServer() as server:
        remote = pickle.loads(pickle.dumps(RerankService(server.root + "/v1/rerank")))
        assert remote.scores("q", ["Rye"]).scores == (9.0,)


def test_threads_share_a_reranker():
    model, out = RerankService(wants("Rye")), []

    def work():
        out.append(model.scores("q", [d.text for d in DOCS]).scores)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(out) == 8 and len(set(out)) == 1
