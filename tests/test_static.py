"""The static vectors against slow twins, and what must hold whatever the table."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from fieldpack import assets
from fieldpack.embed.static import TYPICAL_WEIGHT, StaticEmbedder, read_safetensors, spelled
from fieldpack.embed.wordpiece import wordpieces
from fieldpack.errors import AssetError
from fieldpack.protocols import Embedder
from fieldpack.words import is_symbol, split, words_of

STATIC = StaticEmbedder()
VOCABULARY = {w: i for i, w in enumerate(assets.verified("static/vocab.txt").read_text("utf-8").split("\n")) if w}
words = st.text("abcdefghijklmnopqrstuvwxyz0123456789éßж日本の", min_size=1, max_size=30)
texts = st.lists(st.one_of(words, st.text(max_size=5)), max_size=12).map(" ".join)


@pytest.fixture(scope="module")
def bert() -> Tokenizer:
    """The reference WordPiece, of which only the splitting of one word is used."""
    from tokenizers.models import WordPiece

    return Tokenizer(WordPiece(VOCABULARY, unk_token="[UNK]", max_input_chars_per_word=100))


def test_wordpieces_are_those_of_the_reference(bert: Tokenizer) -> None:
    @settings(max_examples=300, deadline=None)
    @given(st.one_of(words, st.sampled_from(sorted(VOCABULARY)[2000::37]).map(lambda w: w + "ization")))
    def same(word: str) -> None:
        assert wordpieces(word, VOCABULARY) == bert.encode(word).ids

    same()


@pytest.mark.parametrize("length", [99, 100, 101, 100_000])
def test_a_very_long_word_is_one_unknown_piece(length: int, bert: Tokenizer) -> None:
    word = "ab" * (length // 2) + "a" * (length % 2)
    assert wordpieces(word, VOCABULARY) == bert.encode(word).ids
    assert (wordpieces(word, VOCABULARY) == [VOCABULARY["[UNK]"]]) == (length > 100)


def slow(text: str, folder: Path) -> np.ndarray:
    """The definition, in double precision, piece by piece."""
    from safetensors.numpy import load_file

    table = load_file(folder / "vectors.safetensors")
    total = np.zeros(table["rows"].shape[1])
    for word in split(text):
        pieces = wordpieces(word, VOCABULARY)
        letters = len(pieces) > 1 and (len(pieces) == len(word) or not word.isalpha())
        if is_symbol(word):
            continue
        if letters or pieces == [VOCABULARY["[UNK]"]]:
            total += TYPICAL_WEIGHT * spelled([word], len(total))[0]
            continue
        for row in pieces:
            total += table["rows"][row].astype(float) * float(table["scale"][row])
    if not np.any(total):
        total = table["rows"][VOCABULARY["[UNK]"]].astype(float)
    return total / np.sqrt(total @ total)


@settings(max_examples=60, deadline=None)
@given(texts)
def test_a_row_is_the_unit_sum_of_piece_rows(text: str) -> None:
    np.testing.assert_allclose(STATIC.embed([text])[0], slow(text, assets.root() / "static"), atol=2e-5)


@settings(max_examples=60, deadline=None)
@given(st.lists(texts, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_a_row_has_the_same_bits_whatever_else_is_in_the_call(many: list[str], draw) -> None:  # type: ignore[no-untyped-def]
    rows = STATIC.embed(many)
    assert rows.dtype == np.float32 and rows.shape == (len(many), STATIC.dims)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    order = list(range(len(many)))
    draw.shuffle(order)
    assert np.array_equal(StaticEmbedder().embed([many[i] for i in order]), rows[order])
    assert all(np.array_equal(STATIC.embed([text])[0], row) for text, row in zip(many, rows, strict=True))
    first = words_of(many, vocabulary=["zebra", "of", "bert"])
    assert np.array_equal(STATIC.embed_words(first), rows)


def test_a_text_longer_than_a_block_keeps_its_bits_in_company() -> None:
    long = " ".join(f"word{i % 977} of the field" for i in range(3000))
    alone = STATIC.embed([long])
    assert np.array_equal(STATIC.embed(["a", long, ""])[1], alone[0])
    np.testing.assert_allclose(alone[0], slow(long, assets.root() / "static"), atol=2e-5)


def test_word_vectors_carry_direction_and_weight() -> None:
    vectors = STATIC.word_vectors(["the", "photosynthesis", "chlorophyll", "mortgage"])
    weight = np.linalg.norm(vectors, axis=1)
    unit = vectors / weight[:, None]
    assert vectors.dtype == np.float32
    assert weight[0] < 0.5 * weight[1:].min(), "a word that tells nothing weighs little"
    assert unit[1] @ unit[2] > unit[1] @ unit[3] + 0.1, "near in meaning is near in direction"
    assert STATIC.word_vectors([]).shape == (0, STATIC.dims)


def test_a_word_that_the_table_does_not_know_is_like_itself_alone() -> None:
    strange = ["किताब", "काबुल", "أحمد", "حمد", "แรม", "склад", "замок", "e0123", "e0124", "2501", "1250", "zqxv"]
    rows = STATIC.word_vectors(strange)
    weight = np.linalg.norm(rows, axis=1)
    np.testing.assert_allclose(weight, TYPICAL_WEIGHT, rtol=1e-5)
    alike = (rows @ rows.T) / np.outer(weight, weight) - np.eye(len(strange))
    assert np.abs(alike).max() < 0.6, "below the similarity from which a reason calls a word near"
    assert np.array_equal(STATIC.word_vectors(["أحمد"])[0], rows[2]), "whatever else is in the call"
    forms = STATIC.word_vectors(["складами", "складах", "яблоко"]) / TYPICAL_WEIGHT
    assert forms[0] @ forms[1] > 0.5 > 0.3 > abs(forms[0] @ forms[2]), "forms of one word share most of their letters"


def test_a_name_as_a_whole_has_no_vector_and_its_parts_have_theirs() -> None:
    assert not STATIC.word_vectors(["read_csv", "3.11.4", "c#", "--no-cache"]).any()
    np.testing.assert_allclose(STATIC.embed(["call read_csv()"]), STATIC.embed(["call read csv"]), atol=1e-6)


def test_known_is_the_share_of_a_language_that_the_table_knows() -> None:
    known = [STATIC.known(words_of([t])) for t in ("the house of_the garden", "склад в доме", "")]
    assert known[0] == 1 and known[1] < 0.5 and known[2] == 0


def test_near_texts_are_near() -> None:
    rows = STATIC.embed(
        ["How do plants make food from light?", "Photosynthesis in leaves", "The bank raised its rates"]
    )
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.1


@pytest.mark.parametrize("blank", ["", "  \n", "...!?", "\u0301", "\ud800"])
def test_a_text_without_words_still_has_a_direction(blank: str) -> None:
    rows = STATIC.embed([blank, "words"])
    assert np.linalg.norm(rows[0]) == pytest.approx(1, abs=1e-6)
    assert np.array_equal(rows[0], STATIC.embed(["?"])[0])
    assert STATIC.embed([]).shape == (0, STATIC.dims)


def table(folder: Path, rows: np.ndarray, scale: np.ndarray, vocabulary: list[str]) -> Path:
    save_file({"rows": rows, "scale": scale}, folder / "vectors.safetensors")
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", "utf-8")
    return folder


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    rows = np.array([[127, 0], [0, 127], [-127, 0]], np.int8)
    made = StaticEmbedder(table(tmp_path, rows, np.array([1, 2, 0.5], np.float32), ["[UNK]", "red", "##dish"]))
    assert isinstance(made, Embedder) and made.dims == 2
    np.testing.assert_array_equal(made.word_vectors(["red", "reddish"]), [[0, 254], [-63.5, 254]])
    np.testing.assert_allclose(made.embed(["Red-dish"])[0], [0.0, 1.0], atol=1e-2)
    again = pickle.loads(pickle.dumps(made))
    assert again.fingerprint == made.fingerprint != STATIC.fingerprint
    assert np.array_equal(again.embed(["reddish"]), made.embed(["reddish"]))


def test_opposite_words_that_cancel_out_still_give_a_unit_row(tmp_path: Path) -> None:
    rows = np.array([[127, 0], [0, 127], [0, -127]], np.int8)
    made = StaticEmbedder(table(tmp_path, rows, np.ones(3, np.float32), ["[UNK]", "up", "down"]))
    np.testing.assert_array_equal(made.embed(["up down"]), [[1, 0]])


def test_what_is_no_table_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"no vectors\.safetensors"):
        StaticEmbedder(tmp_path)
    (tmp_path / "vectors.safetensors").write_bytes(b"\x00" * 40)
    (tmp_path / "vocab.txt").write_text("[UNK]\n")
    with pytest.raises(AssetError, match="safetensors"):
        StaticEmbedder(tmp_path)
    with pytest.raises(AssetError, match="2 words"):
        StaticEmbedder(table(tmp_path, np.ones((3, 2), np.int8), np.ones(3, np.float32), ["[UNK]", "a"]))
    with pytest.raises(AssetError, match="UNK"):
        StaticEmbedder(table(tmp_path, np.ones((2, 2), np.int8), np.ones(2, np.float32), ["a", "b"]))


def test_safetensors_are_read_as_the_library_reads_them(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6, dtype=np.int8).reshape(2, 3), "b": np.array([0.5, -2], np.float32)}
    save_file(arrays, tmp_path / "x.safetensors", metadata={"k": "v"})
    found = read_safetensors(tmp_path / "x.safetensors")
    assert found.keys() == arrays.keys()
    assert all(np.array_equal(found[k], arrays[k]) and found[k].dtype == arrays[k].dtype for k in arrays)
