"""Methods, fields and settings of release 0.1 under their old names: they do what the new ones do, and warn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import fieldpack as fp
from fieldpack.embed.testing import HashEmbedder

DOCUMENTS = (
    fp.Document("tides", "Tides are caused by the Moon. Spring tides come at full moon.", "Tides"),
    fp.Document("bread", "Sourdough is leavened with wild yeast. A starter needs flour.", "Bread"),
)
QUERY = "what causes spring tides"


@pytest.fixture(params=["static", "dense"])
def packer(request):
    return fp.ContextPacker(HashEmbedder() if request.param == "dense" else "static", unit="sentence")


def prepared(packer):
    with pytest.warns(DeprecationWarning, match=r"ContextPacker\.prepare is now ContextPacker\.read") as caught:
        corpus = packer.prepare(DOCUMENTS)
    assert caught[0].filename == __file__
    return corpus


def test_prepare_and_pack_prepared(packer):
    corpus = prepared(packer)
    assert (corpus.dense is not None) == packer.dense
    with pytest.warns(DeprecationWarning, match=r"pack_prepared is now ContextPacker\.pack_corpus"):
        found = packer.pack_prepared((QUERY,), corpus, 20, [(1, 0, 12)])
    wanted = packer.pack(QUERY, DOCUMENTS, 20, pins=[("bread", 0, 12)])
    assert (found.text, found.kept, found.dropped) == (wanted.text, wanted.kept, wanted.dropped)


def test_what_adjust_adds_is_a_bias(packer):
    corpus = prepared(packer)

    def adjust(relevance):
        return replace(relevance, logit=relevance.logit + np.array([-60, -60, 0, 0], np.float32))

    with pytest.warns(DeprecationWarning):
        found = packer.pack_prepared((QUERY,), corpus, 13, adjust=adjust)
    assert {k.doc_id for k in found.kept} == {"bread"}


def test_old_names_of_a_result():
    result = fp.ContextPacker().pack(QUERY, DOCUMENTS, 20)
    for old, new in (("prepared", "corpus"), ("passed", "skipped"), ("asked", "query_vectors")):
        with pytest.warns(DeprecationWarning, match=rf"Result\.{old} is now Result\.{new}") as caught:
            assert getattr(result, old) is getattr(result, new)
        assert caught[0].filename == __file__


def test_persist_is_residue_weight():
    with pytest.warns(DeprecationWarning, match="persist is now .*residue_weight"):
        packer = fp.ContextPacker(persist=2.5)
    assert packer.residue_weight == 2.5
    assert replace(packer, unit="sentence").residue_weight == 2.5
    with pytest.warns(DeprecationWarning), pytest.raises(fp.SettingsError, match="residue_weight"):
        fp.ContextPacker(persist=-1)
