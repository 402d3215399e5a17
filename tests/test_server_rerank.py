"""/v1/rerank and /v1/models, by the clients that people have, and by plain HTTP."""

import httpx
import pytest
from serving import app, problem, running_well
from starlette.testclient import TestClient

import fieldpack as fp
from fieldpack.rerank.service import RerankService

TEXTS = ["Bread needs yeast.", "Tides are caused by the gravity of the Moon.", "", "Rye is cut in July."]
QUERY = "what causes tides"


@pytest.fixture(scope="module")
def client():
    with TestClient(app()) as c:
        yield c


@pytest.fixture(scope="module")
def service():
    with running_well() as url:
        yield url


def test_the_best_document_comes_first_with_a_probability(client):
    body = {"query": QUERY, "documents": [TEXTS[0], {"text": TEXTS[1], "more": 1}, *TEXTS[2:]], "model": "static"}
    found = client.post("/v1/rerank", json=body).json()
    assert found["results"][0]["index"] == 1 and len(found["results"]) == 4
    scores = [r["relevance_score"] for r in found["results"]]
    assert scores == sorted(scores, reverse=True) and all(0 <= s <= 1 for s in scores)
    assert "document" not in found["results"][0] and found["usage"]["total_tokens"] > 10
    assert {r["index"]: r["relevance_score"] for r in found["results"]}[2] == 0
    best = client.post("/v1/rerank", json={**body, "top_n": 1, "return_documents": True}).json()["results"]
    assert best == [{"index": 1, "relevance_score": scores[0], "document": {"text": TEXTS[1]}}]


def test_the_scores_are_the_relevance_of_a_pack(client):
    documents = [t for t in TEXTS if t]
    result = fp.ContextPacker(unit="paragraph").pack(QUERY, documents, 1000)
    wanted = {int(k.doc_id[4:]): k.score for k in (*result.kept, *result.dropped)}
    found = client.post("/v1/rerank", json={"query": QUERY, "documents": documents}).json()["results"]
    assert {r["index"]: r["relevance_score"] for r in found} == wanted


def test_what_cannot_be_ranked_is_a_problem(client):
    for change in ({"documents": []}, {"query": " "}, {"top_n": 0}, {"misspelt": 1}, {"documents": [3]}):
        assert client.post("/v1/rerank", json={"query": QUERY, "documents": TEXTS, **change}).status_code == 422
    answer = client.post("/v1/rerank", json={"query": QUERY, "documents": TEXTS, "model": "rerank-v3.5"})
    problem(answer, 422, "unknown-name") if answer.status_code == 422 else problem(answer, 400, "unknown-name")
    blank = client.post("/v1/rerank", json={"query": QUERY, "documents": ["", "\n"]}).json()
    assert [r["relevance_score"] for r in blank["results"]] == [0, 0]


def test_the_models_are_listed_as_openai_clients_read_them(client, service):
    listed = client.get("/v1/models").json()
    assert [m["id"] for m in listed["data"]] == ["static", "minilm", "cascade"] and listed["object"] == "list"
    openai = pytest.importorskip("openai")
    with openai.OpenAI(base_url=service + "v1", api_key="unused", max_retries=0) as asking:
        assert "static" in [m.id for m in asking.models.list()]


def test_the_client_of_cohere_reads_the_answer(service):
    cohere = pytest.importorskip("cohere")
    for kind in (cohere.Client, cohere.ClientV2):
        asking = kind(api_key="unused", base_url=service.rstrip("/"))
        answer = asking.rerank(model="static", query=QUERY, documents=TEXTS, top_n=2)
        assert answer.results[0].index == 1 and answer.results[0].relevance_score > answer.results[1].relevance_score
        assert len(answer.results) == 2


@pytest.mark.parametrize("model", ["cohere/static", "jina_ai/static"])
def test_litellm_reads_the_answer_in_both_forms(service, model):
    litellm = pytest.importorskip("litellm")
    base = service + "v1/rerank"
    answer = litellm.rerank(model=model, query=QUERY, documents=TEXTS, top_n=2, api_base=base, api_key="unused")
    assert answer.results[0]["index"] == 1


def test_the_reranker_of_jina_in_langchain_reads_the_answer(service, monkeypatch):
    jina = pytest.importorskip("langchain_community.document_compressors.jina_rerank")
    from langchain_core.documents import Document

    monkeypatch.setattr(jina, "JINA_API_URL", service + "v1/rerank")
    compressor = jina.JinaRerank(jina_api_key="unused", model="static", top_n=2)
    found = compressor.compress_documents([Document(page_content=t) for t in TEXTS], QUERY)
    assert found[0].page_content == TEXTS[1] and found[0].metadata["relevance_score"] > 0


def test_the_packers_own_reranker_can_be_a_service(service):
    httpx.get(service + "healthz").raise_for_status()
    scores = RerankService(service + "v1/rerank", remote_model="static").scores(QUERY, TEXTS)
    assert not scores.problem and max(scores.scores) == scores.scores[1]
