"""Counts equal tiktoken's and Hugging Face's own; prefixes fit; joins that the renderer relies on add up."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiktoken
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tiktoken._educational import SimpleBytePairEncoding
from tokenizers import models, pre_tokenizers, processors

from fieldpack.errors import InputError, UnknownNameError
from fieldpack.protocols import Tokenizer
from fieldpack.text import tokens
from fieldpack.text.tokens import check_text, count_in_background, tokenizer
from fieldpack.text.truncate import longest_prefix
from fieldpack.types import Document, IntArray

ENCODINGS = ("o200k_base", "cl100k_base")
SCRIPTS = "aZ é漢字かなعربيह🙂👨‍👩‍👧🇩🇪e\u0301\u200d0123 .,'’\"/\\()[]{}<>|`*_#-=\n\t\r\xa0\u2028ǅʰⅧ²ß"
TEXTS = st.text(alphabet=st.sampled_from(SCRIPTS), max_size=60) | st.text(max_size=30)
ODD = ["", " ", "<|endoftext|>", "<|im_start|>x<|fim_prefix|>", "\ud800", "a\udc00\ud83d\ude42", "\0\x1f", "👨‍👩‍👧" * 3]


@pytest.fixture(scope="module")
def hf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small tokenizer.json with all that must be switched off: special tokens, a template, truncation, padding."""
    words = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", *"abcdefghijklmnopqrstuvwxyz.,'", "the", "cat", "hello"]
    model = tokenizers.Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    model.pre_tokenizer = pre_tokenizers.Whitespace()
    model.add_special_tokens(["[CLS]", "[SEP]", "[PAD]"])
    model.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 1), ("[SEP]", 2)])
    model.enable_truncation(4)
    model.enable_padding(length=16)
    path = tmp_path_factory.mktemp("hf") / "tokenizer.json"
    model.save(str(path))
    return path


def by_words(text: str) -> int:
    return len(text.split())


@pytest.fixture(scope="module", params=["o200k_base", "cl100k_base", "hf", "callable"])
def any_tokenizer(request: pytest.FixtureRequest, hf_file: Path) -> Tokenizer:
    specs: dict[str, str | Path | Callable[[str], int]] = {"hf": hf_file, "callable": by_words}
    return tokenizer(specs.get(request.param, request.param))


class TestContract:
    """What every tokenizer keeps."""

    def test_fits_the_protocol(self, any_tokenizer: Tokenizer) -> None:
        assert isinstance(any_tokenizer, Tokenizer)
        assert tokenizer(any_tokenizer) is any_tokenizer
        assert any_tokenizer.name

    def test_count_many_is_count_of_each_in_order(self, any_tokenizer: Tokenizer) -> None:
        texts = ["hello cat", "the", "", "hello cat", *ODD, "the cat. the cat"]
        counts = any_tokenizer.count_many(texts)
        assert counts.dtype == np.int64
        assert counts.tolist() == [any_tokenizer.count(t) for t in texts]
        assert any_tokenizer.count_many([]).shape == (0,)

    @settings(deadline=None, max_examples=60)
    @given(TEXTS, st.integers(-1, 12))
    def test_a_prefix_fits_and_is_all_of_a_text_that_fits(self, any_tokenizer, text: str, most: int) -> None:
        end = any_tokenizer.prefix(text, most)
        assert 0 <= end <= len(text)
        if end:
            assert any_tokenizer.count(text[:end]) <= most
        if most > 0 and any_tokenizer.count(text) <= most:
            assert end == len(text)

    def test_a_prefix_is_nearly_as_long_as_can_be(self, any_tokenizer: Tokenizer) -> None:
        text = "hello the cat, hello. " * 500
        for most in (1, 7, 100, 1000):
            assert any_tokenizer.count(text[: any_tokenizer.prefix(text, most)]) == most

    def test_a_prefix_splits_no_cluster(self, any_tokenizer: Tokenizer) -> None:
        family = "👨‍👩‍👧"
        text = f"a {family} " * 5
        for most in range(1, 40):
            end = any_tokenizer.prefix(text, most)
            assert end == 0 or not text[:end].endswith(("👨", "👩", "\u200d"))


class OnlyCounts:
    """A tokenizer of somebody else, with no more than the protocol asks for."""

    name = "letters"

    def count(self, text: str) -> int:
        return len(text)

    def count_many(self, texts: list[str]) -> IntArray:
        return np.array([len(t) for t in texts])


def test_a_prefix_by_any_tokenizer() -> None:
    assert longest_prefix(OnlyCounts(), "abcdef", 4) == 4
    assert longest_prefix(OnlyCounts(), "abc", 4) == 3
    assert longest_prefix(tokenizer("cl100k_base"), "hello world", 1) == 5


class TestTiktoken:
    @pytest.mark.parametrize("name", ENCODINGS)
    def test_equals_the_readable_reference(self, name: str) -> None:
        """tiktoken's own teaching implementation, built on the same ranks."""
        encoding = tokenizer(name).encoding
        reference = SimpleBytePairEncoding(pat_str=encoding._pat_str, mergeable_ranks=encoding._mergeable_ranks)
        for text in ("Hello world, it's 12345!", "漢字 かな 🙂 e\u0301", "  a\n\n\tb  ", "def f(x):\n    return x\n"):
            assert tokenizer(name).count(text) == len(reference.encode(text, visualise=None))

    @pytest.mark.parametrize("name", ENCODINGS)
    @settings(deadline=None, max_examples=200)
    @given(text=TEXTS)
    def test_equals_tiktoken(self, name: str, text: str) -> None:
        assert tokenizer(name).count(text) == len(tokenizer(name).encoding.encode(text, disallowed_special=()))

    def test_known_counts(self) -> None:
        assert tokenizer("o200k_base").count("tiktoken is great!") == 6
        assert tokenizer("cl100k_base").count("tiktoken is great!") == 6
        assert tokenizer("cl100k_base").encoding.encode_ordinary("hello world") == [15339, 1917]

    @pytest.mark.parametrize("name", ENCODINGS)
    def test_special_token_text_is_text(self, name: str) -> None:
        assert tokenizer(name).count("<|endoftext|>") > 1

    def test_model_names_and_harmony_need_no_network(self) -> None:
        assert tokenizer("gpt-4o").name == "o200k_base"
        assert tokenizer("gpt-4").name == "cl100k_base"
        harmony = tokenizer("o200k_harmony")
        assert harmony.count("hello <|start|> world") == tokenizer("o200k_base").count("hello <|start|> world")

    def test_the_modules_of_tiktoken_stay_as_they_are(self) -> None:
        from tiktoken_ext import openai_public

        tokenizer("cl100k_base").count("x")
        assert openai_public.load_tiktoken_bpe is tiktoken.load.load_tiktoken_bpe

    @pytest.mark.parametrize("run", [" ", "\t", "\n", " \n", "\u3000", "\r\n"])
    @pytest.mark.parametrize("name", ENCODINGS)
    def test_long_runs_of_white_space_are_counted_by_pieces(self, name: str, run: str) -> None:
        counter = tokenizer(name)
        for text in ("a" + run * 45_000 + "b", run * 45_000, run * 45_000 + "\n b /" + run * 41_000 + "x\n"):
            assert tokens._has_long_white(text)
            assert counter.count(text) == len(counter.encoding.encode_ordinary(text))

    def test_a_megabyte_of_white_space_does_not_crash(self) -> None:
        text = "a" + " " * 1_000_000 + "b"
        assert tokenizer("o200k_base").count(text) > 7_000
        end = tokenizer("o200k_base").prefix(text, 100)
        assert tokenizer("o200k_base").count(text[:end]) <= 100

    def test_threads_build_one_encoding(self) -> None:
        tokens._built.cache_clear()
        found: list[tiktoken.Encoding] = []
        threads = [threading.Thread(target=lambda: found.append(tokenizer("cl100k_base").encoding)) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert len(found) == 4 and all(e is found[0] for e in found)

    def test_unknown_names_list_what_is_known(self) -> None:
        with pytest.raises(UnknownNameError, match=r"did you mean 'o200k_base'.*cl100k_base.*tokenizer\.json"):
            tokenizer("o200k_bas")

    def test_ranks_that_cannot_be_had_are_one_clear_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unreachable(name: str) -> tiktoken.Encoding:
            raise ConnectionError("no route")

        monkeypatch.setattr(tiktoken, "get_encoding", unreachable)
        with pytest.raises(InputError, match=r"'p50k_base' are not shipped .*ConnectionError.*shipped: o200k_base"):
            tokenizer("p50k_base").count("x")

    def test_nothing_is_loaded_before_the_first_count(self) -> None:
        code = (
            "import sys; from fieldpack.text.tokens import tokenizer; t = tokenizer(len); t.count('x'); "
            "print('tiktoken' in sys.modules, 'tokenizers' in sys.modules)"
        )
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert out.split() == ["False", "False"]


class TestJoins:
    """Which joins add up, so that a packer may charge parts: proved by the split patterns, checked here."""

    SEPARATORS = ("\n\n", "\n", "\n\n[…]\n\n", "\n…\n")
    BODIES = TEXTS.map(str.strip).filter(lambda t: t and not t.startswith("/"))

    @pytest.mark.parametrize("name", ENCODINGS)
    @settings(deadline=None, max_examples=300)
    @given(a=BODIES, b=BODIES, sep=st.sampled_from(SEPARATORS))
    def test_a_separator_that_ends_in_a_newline_belongs_to_the_text_before(
        self, name: str, a: str, b: str, sep: str
    ) -> None:
        count = tokenizer(name).count
        assert count(a + sep + b) == count(a + sep) + count(b)

    @pytest.mark.parametrize("name", ENCODINGS)
    @settings(deadline=None, max_examples=300)
    @given(a=BODIES, b=BODIES, gap=st.sampled_from(["", " […]", " …", " ..."]))
    def test_a_single_space_belongs_to_the_text_after(self, name: str, a: str, b: str, gap: str) -> None:
        count = tokenizer(name).count
        assert count(a + gap + " " + b) == count(a + gap) + count(" " + b)

    def test_a_slash_is_the_exception_in_o200k(self) -> None:
        count = tokenizer("o200k_base").count
        assert count("end.\n\n" + "//x") == count("end.\n\n") + count("//x") - 1
        assert count("*\n\n" + "/usr/bin") == count("*\n\n") + count("/usr/bin") + 1
        assert count("end." + " " + "//x") == count("end.") + count(" //x")


class TestHuggingFace:
    def test_truncation_padding_and_added_tokens_are_off(self, hf_file: Path) -> None:
        counter = tokenizer(str(hf_file))
        assert counter.count("the cat") == 2
        assert counter.count("the cat " * 50) == 100
        assert counter.name.endswith("tokenizer.json")

    def test_special_token_text_is_text(self, hf_file: Path) -> None:
        assert tokenizer(hf_file).count("[CLS]") == tokenizer(hf_file).count("[XYZ]") == 3

    def test_a_folder_that_holds_the_file(self, hf_file: Path) -> None:
        assert tokenizer(hf_file.parent).count("the cat") == 2

    def test_what_is_no_tokenizer_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no tokenizer at"):
            tokenizer(tmp_path / "absent.json")
        with pytest.raises(InputError, match="no tokenizer at"):
            tokenizer(str(tmp_path))
        bad = tmp_path / "bad.json"
        bad.write_text(json.dumps({"model": 1}), encoding="utf-8")
        with pytest.raises(InputError, match=r"bad\.json is not a Hugging Face"):
            tokenizer(bad)


class TestCallable:
    @pytest.mark.parametrize(
        "wrong", [-1, 1.5, None, "3", True, 10**30, float("nan"), pytest.param(10**5000, id="huge")]
    )
    def test_a_result_that_is_no_count_is_refused(self, wrong: object) -> None:
        with pytest.raises(InputError, match=r"returned .*allowed: a whole number >= 0"):
            tokenizer(lambda text: wrong).count("x")

    def test_numpy_integers_are_counts(self) -> None:
        assert tokenizer(lambda text: np.int32(3)).count("x") == 3

    def test_repeated_texts_are_counted_once(self) -> None:
        asked: list[str] = []

        def count(text: str) -> int:
            asked.append(text)
            return len(text)

        assert tokenizer(count).count_many(["a", "bb", "a"]).tolist() == [1, 2, 1]
        assert asked == ["a", "bb"] and tokenizer(count).name == "count"

    def test_what_is_no_tokenizer_is_refused(self) -> None:
        with pytest.raises(InputError, match="found int"):
            tokenizer(3)


def test_surrogates_are_found_with_document_and_place() -> None:
    check_text([Document("a", "fine 🙂"), Document("b", "")])
    with pytest.raises(InputError, match=r"document 'bad': lone surrogate U\+D83D at character 3"):
        check_text([Document("a", "fine"), Document("bad", "abc\ud83d")])


@pytest.mark.parametrize("name", ["o200k_base", "cl100k_base"])
def test_many_texts_counted_together_have_the_counts_they_have_alone(name) -> None:
    rng = random.Random(0)
    pieces = [
        "word", " ", "  ", "\n", "\n\n", "/", "'s", "…", "naïve", "漢字", "🙂", "1234567", "\t", ".", "<|endoftext|>",
        "<|endofprompt|>", "x" * 500, " " * 300,
    ]  # fmt: skip
    texts = ["".join(rng.choices(pieces, k=rng.randint(0, 9))) for _ in range(3000)]
    texts += ["a" * 25_000, " " * 60_000 + "end", "<|endoftext|>", "", "late"]
    counter = tokenizer(name)
    alone = [counter.count(t) for t in texts]
    assert counter.count_many(texts).tolist() == alone == count_in_background(counter, texts)().tolist()
    few = [t for t in texts if "<|" not in t][:2000]
    assert counter.count_many(few).tolist() == [counter.count(t) for t in few]


def test_counting_meanwhile_tells_its_errors() -> None:
    def broken(text: str) -> int:
        return -1

    with pytest.raises(InputError, match="returned -1"):
        count_in_background(tokenizer(broken), ["a"] * 2000)()
