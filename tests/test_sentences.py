"""Sentence ends in several scripts: what ends a sentence, what does not, and that the ranges cover the paragraph."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldpack.text import sentences as module
from fieldpack.text.sentences import sentence_spans


def sentences(text: str) -> list[str]:
    return [text[a:b] for a, b in sentence_spans(text, 0, len(text))]


# "|" marks where one sentence ends and the next begins.
@pytest.mark.parametrize(
    "marked",
    [
        "One.| Two!| Three?| Four",
        "Mr. Smith met Dr. J. A. Hobson in the U.S.| The talk was short.",
        "He works in the U.S. Senate, e.g. on Rylands v. Fletcher, i.e. law.| Next.",
        "So do I.| The plan B.| Then C.",
        "A. The first.| B. Then C.| The vitamin-C.| Cook it.| As shown. [33].| In (n=3).Fig. 8 is here.",
        "Alfred P. Murrah and George W. Bush left at 8 a.m.| After that, it rained.",
        "It costs $3.50 or 1.000,5 in v1.2.3.| See www.example.com/a.b?c=d.| Done.",
        "No. 5 is alive, see Fig. 3, vol. iv and Sec. 2.1 of op. cit.| He said no.| Then he left.",
        "Published Jan. 5, 1999.| In 1999.| It was Dec. 3.",
        "Acme Inc. Chairman Bob Jr. left.| Acme Inc.| The rest stayed, etc.| And so on.",
        "“Why?” she asked.| “Go!”| He went.| (See it.)| [Or not.]| 'Yes.'| End",
        "He said “stop.”| She said 'no.'| Fine.[12]| More.[3][4]| Last",
        "Wait . . . what?| So . . .| Yes ! !| Well…| Then yes!?| Really?!| OK...| Good.",
        "> One.\n|> — Two.\n>\n>\n|> Three",
        "--- \n*** Yes. 🙂 !| No.",
        "**Bold.**| Next *it.*| `code.`| More.",
        "See :doc:`First steps. Part two </a>` now.| Run ``make. Install``.| Is `a. B` or :ref:`Who? Me! <x>`?| Yes",
        "One ` alone.| Two ` here.| An empty `` is.| No ` code.| End.",
        "1. First do this.| 2. Then that.| Prices fell 3.2 percent.",
        "今日は天気がいい。|散歩に行こう！|「そうですね。」と彼は言った。|終わり！？|はい",
        "我们去吃饭吧。|“好的。”|他说：“走！”|然后走了｡",
        "هل أنت بخير؟| نعم.| حسنا۔| آخر",
        "यह है।|वह नहीं है॥| ठीक",
        "Am 3. Oktober kam Hr. Dr. Müller z.B. nach Bonn.| Es war der 4. Mai.| Gut.",
        "El Sr. Pérez vino.| ¿Qué pasó?| ¡Nada!| Bueno.",
        "M. Dupont est là.| Où ça ?| Là-bas !",
        "Roses are red,\n|Violets are blue,\n|Sugar is sweet,\n|And so are you.",
        "2024-01-01 12:00 INFO start\n|2024-01-01 12:01 WARN a longer line than the others\n|2024-01-01 12:02 end",
        "[12:00] one\n|[12:01] two",
        "This text was wrapped at about\nthirty-five columns by someone who\nlikes short lines.| It ends here.",
        "A short title line\n|Then a much longer line of text that follows the title and goes on for a while.",
        "Steps:\n|1. Go there.\n|2. Come back.| Rest.\n|B. Again",
        "明天去看《快跑吧！兄弟》好吗？|好！|他（是的。真的。）来了。|【注意！小心】开门。",
        "“今天不开门。”店员说。|我们回家了。|“走吧！”他说着站起来。|“好的。”|他笑了。",
        "値は３．１４です。|次は２．５。|「行くよ。待って。」と言った。|終わり．",
        "г. Москва, ул. Ленина, д. 5 стоит дом.| Он приехал в 1990 г.| Потом уехал, т. е. пропал.| См. рис. 3.| Всё.",
        "Es gibt z. B. Brot, s. Abs. 3.| Prof. Dr. med. Müller kam.| Die 2. Auflage erschien 1999.| Vgl. S. 12, d. h.",
        "El Sr. López vive en la Av. Libertad.| EE. UU. ganó.| La Dra. Ruiz, pág. 4, cap. IV, lo dijo.| Fin.",
        "Il sig. Rossi, l'avv. Bianchi e la sig.ra Verdi.| Vedi pag. 5 e vol. II.| Ecco, cfr. art. 3.| Basta.",
        "Prof. Nowak, ul. Długa 5, był tam o godz. 10.| Zob. str. 7, m.in. tu.| Koniec w 1999 r.| Potem nic.",
        "Dhr. Jansen en mevr. de Vries.| Zie blz. 4, o.a. hier.| Klaar, d.w.z. bijna.| Ja.",
        "M. Dupont et Mme Roy, p. ex. hier.| Voir chap. IV, fig. 2 et vol. 3.| C'est tout.",
        "O Sr. Silva e a Sra. Costa, pág. 3.| A Profa. Lima veio.| Fim.",
        "Dl. Popescu, str. Lungă nr. 4, a venit.| Apoi a plecat.",
        "Проф. Коваль, вул. Довга 5, буд. 3.| Див. рис. 2.| Кінець у 1999 р.| Далі нічого.",
        "Smith, 12 F. Supp. 2d 33.| See Exh. B, App. A and Sched. C.| The end.",
        "It measured 5 mm.| The plan works.| OK.| He said so.| Look at vitamin C.| Then rest.",
        "डॉ. मिश्रा और प्रो. सिंह आए।| वे गए।",
        "Er wohnt in der Goethestr. 5 für 30 Mio. Euro.| Er kommt um 8 Uhr.",
        "L'art. 5, lett. a) del D.Lgs. 81/2008, ecc. si applica.| Fine.",
        "Art. 5 alin. (2), bl. 3, ap. 2 din ian. 2020.| Gata.",
        "Atatürk Cad. No. 5, Kat. 3, Doç. Dr. Kaya, örn. Ankara'da.| Gitti.",
        "Цена 5 тыс. долл. США.| Потом ушли 3 окт. 2020 г.| Всё.",
        "Η οδός Αγ. Γεωργίου αρ. 5, βλ. σελ. 3.| Τέλος.",
        "Ok. 5 tys. zł z 3 paź. 2020 r.| Tak.",
        "Things:\n|- one\n|- two goes on\n|* three\n|1) four",
    ],
)
def test_sentence_ends(marked: str) -> None:
    text = marked.replace("|", "")
    expected = [part.strip() for part in marked.split("|")]
    assert sentences(text) == expected


def test_no_boundary_without_white_space_in_spaced_scripts() -> None:
    assert sentences("foo.bar=1;a.B!c?D") == ["foo.bar=1;a.B!c?D"]


@given(st.text(alphabet=st.sampled_from(" \n.!?…。」\"')]([aAzI1éÉ漢ا-*v"), min_size=1, max_size=80))
def test_spans_cover_the_range_and_start_again_the_same(text: str) -> None:
    text = text.strip() or "x"
    spans = sentence_spans(text, 0, len(text))
    at = 0
    for a, b in spans:
        assert at <= a < b
        assert not text[at:a].strip() and not text[a].isspace() and not text[b - 1].isspace()
        at = b
    assert at == len(text)
    assert sentence_spans("¿" + text + " x", 1, 1 + len(text)) == [(a + 1, b + 1) for a, b in spans] or "\n" in text


HOSTILE = (". ", ".", ".) ", "Mr. ", "I. ", "1. ", ".[1]", "...! ", "。」", "(. ", "e.g. ", "a\n", "A\n")


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_repetition(piece: str) -> None:
    """A tenth of a second for 200 kB when every step is linear; hours when one is quadratic."""
    text = (piece * 200_000)[:200_000].rstrip()
    spans = sentence_spans(text, 0, len(text))
    assert spans[0][0] == 0 and spans[-1][1] == len(text)


@given(st.text("aB1 .。!！？?…\n\"')」[]।॥", max_size=24), st.integers(0, 8), st.integers(0, 24))
def test_ends_are_those_of_the_patterns_as_one_would_write_them(text: str, low: int, high: int) -> None:
    stops, anywhere = module._SPACED, module._ANYWHERE
    spaced = rf"[{stops}]++[{module._CLOSERS}]*+{module._REFERENCE}(\s++)"
    either = rf"(?:{spaced}|[{stops}]*+[{anywhere}][{stops}{anywhere}]*+[{module._CLOSERS}]*+(\s*+))"
    for fast, plain in (
        (module._END, rf"(?<![{stops}]){spaced}"),
        (module._END_ANY, rf"(?<![{stops}{anywhere}]){either}"),
    ):
        expected = re.compile(plain).finditer(text, low, high)
        assert [m.regs for m in fast.finditer(text, low, high)] == [m.regs for m in expected]
