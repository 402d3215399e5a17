"""What the tests of the three adapters share: texts, embedders that count their calls, the code of the docs."""

import hashlib
import re
from pathlib import Path

from hypothesis import strategies as st

import fieldpack as fp

QUERY = "Who was the drummer of Rush?"
RUSH = (
    "Rush is a Canadian rock band. Neil Peart was its drummer. It was formed in Toronto in 1968.\n\n"
    "The band released Counterparts in 1993. The record went to number two in the charts.\n\n"
    "Geddy Lee sang and played bass."
)
BREAD = "Sourdough bread is leavened with wild yeast. A starter needs flour, water and some days of patience."
TIDES = "Tides are caused by the gravity of the Moon and the Sun. Spring tides come at new and full moon."
TEXTS = [BREAD, RUSH, TIDES]

WORDS = st.lists(st.sampled_from([*" ".join(TEXTS).split(), "\n\n", "naïve", "中文。", "🙂", "# H\n\n"]), max_size=40)
SOME_TEXTS = st.lists(WORDS.map(" ".join), max_size=5)
PACKERS = st.fixed_dictionaries(
    {
        "unit": st.sampled_from(["auto", "paragraph", "sentence"]),
        "order": st.sampled_from(["source", "edges", "relevance"]),
        "titles": st.booleans(),
        "cite": st.booleans(),
        "allow_cut": st.booleans(),
        "min_relevance": st.sampled_from([0.0, 0.1]),
    }
)
_TOKENIZER = fp.tokenizer("o200k_base")


def joined_tokens(texts):
    """Tokens of texts as a prompt would show them."""
    return _TOKENIZER.count("\n\n".join(texts)) if texts else 0


def vector(text, dims=16):
    """A fixed direction for each text; the words of the drummer's sentence turn it to one side."""
    digest = hashlib.blake2b(text.encode(), digest_size=dims).digest()
    row = [b / 128 - 1 for b in digest]
    row[0] += 6.0 * ("drummer" in text)
    return row


class Calls:
    """Vectors of texts, remembering what was asked for."""

    def __init__(self):
        self.documents = []
        self.queries = []

    def of_documents(self, texts):
        self.documents += texts
        return [vector(t) for t in texts]

    def of_query(self, text):
        self.queries.append(text)
        return vector(text)


def check_spans(given, content, facts):
    """The spans are verbatim ranges of the text that came in, in reading order; all of them are in what comes out."""
    end = 0
    for span in facts["spans"]:
        assert end <= span["start"] < span["end"] <= len(given)
        assert given[span["start"] : span["end"]] in content
        assert 0 <= span["score"] <= 1 and span["reason"]
        end = span["end"]
    assert (facts["start"], facts["end"]) == (facts["spans"][0]["start"], facts["spans"][-1]["end"])
    assert facts["score"] == max(s["score"] for s in facts["spans"])


def run_docs(heading, file="frameworks.md"):
    """Runs the code of one section of a page of docs, its blocks one after the other; the names it leaves."""
    page = (Path(__file__).parents[1] / "docs" / file).read_text("utf-8")
    section = re.split(r"^## ", page, flags=re.MULTILINE)
    (body,) = [s for s in section if s.split("\n")[0] == heading]
    blocks = re.findall(r"```python\n(.*?)```", body, flags=re.DOTALL)
    assert blocks
    names = {"__name__": f"docs_{heading}"}
    for block in blocks:
        exec(compile(block, f"{file}:{heading}", "exec"), names)
    return names
