"""Sentences of a paragraph as character ranges, by one linear pass over the places where one could end.

A stop (. ! ? … and those of other scripts), with the quotes and brackets that close after it, ends a sentence when
white space follows and what comes next does not go on in lower case; a full stop must besides not belong to an
abbreviation, an initial or a list number. The stops of scripts without spaces (。！？।) end one wherever they stand.
A line break ends one when the next word would have fitted on the line: wrapped text goes on, verse and logs do not.
"""

from __future__ import annotations

import re
import sys
from itertools import pairwise

Span = tuple[int, int]

_SPACED = ".!?…‽⁇⁈⁉؟۔։።"  # end a sentence before white space
_ANYWHERE = "。！？｡．।॥။"  # end one before anything
_NEVER_FIRST = frozenset(_SPACED + _ANYWHERE + ",;:)]}%、，；：")
_CLOSERS = "\"'”’»›)\\]}」』）》〉】〕*_`"
_REFERENCE = r"(?:\[[^\[\]\s]{1,8}\]){0,8}"  # "word.[12] Next"

# Anchored at the start of a run of stops and possessive, so that no text makes it look twice at a character. The stop
# comes before the look behind it: a search for one of some characters is three times as fast as one for a place.
_END = re.compile(rf"[{_SPACED}](?<![{_SPACED}]{{2}})[{_SPACED}]*+[{_CLOSERS}]*+{_REFERENCE}(\s++)")
_END_ANY = re.compile(
    rf"[{_SPACED}{_ANYWHERE}](?<![{_SPACED}{_ANYWHERE}]{{2}})"
    rf"(?:(?<=[{_SPACED}])[{_SPACED}]*+[{_CLOSERS}]*+{_REFERENCE}(\s++)"
    rf"|(?:(?<=[{_ANYWHERE}])|[{_SPACED}]*+[{_ANYWHERE}])[{_SPACED}{_ANYWHERE}]*+[{_CLOSERS}]*+(\s*+))"
)
_WORD = re.compile(r"[^\W_]")
# Thai, Lao and Khmer have a blank at the end of a phrase or a sentence, and often no sign.
_PHRASED = "\u0e01-\u0e4e\u0e81-\u0ede\u1780-\u17d3"
_PHRASE_GAP = re.compile(rf" (?<=[{_PHRASED}] ) *+(?=[{_PHRASED}])")
_LONG_PHRASE, _SHORT_PHRASE = 120, 40
_HAS_ANYWHERE = re.compile(f"[{_ANYWHERE}]")


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Never the end of a sentence, whatever follows: English, German, French, Spanish, Portuguese, Italian, Dutch, Polish,
# Romanian, Russian, Ukrainian, Turkish, Greek, Hungarian, Hindi and Bengali, in this order.
_TITLES = _words(
    """mr mrs ms mx dr prof st rev hon gen col lt capt cmdr sgt maj gov sen rep pres mt ft messrs e.g i.e cf fl tr v vs
    viz lit approx al supp cir
    hr hrn frau z.b d.h u.a z.t bzw ca sog resp med phil rer nat jur habil dipl univ ggf evtl insb bspw inkl vgl zzgl
    geb
    mme mlle fr p.ex c.-à-d env éd boul
    sr sra srta dña ud uds dres ing avda av pza arq lic
    dra profa eng exmo exma ilmo trav
    sig sigg sig.ra avv dott dott.ssa geom arch spett egr gent cfr p.es d.lgs d.p.r d.l d.m
    dhr mevr drs ds jhr bijv zgn o.a d.w.z i.p.v t.o.v m.b.t t.a.v
    ul godz al os im św tzn tj tzw np m.in mgr inż hab ks płk zob tys
    dl dna str nr.crt ș.a
    ул кв просп пр-т пер пл обл р-н т.е т.к проф акад доц им св напр ср ред изд и.о тов г-н г-жа тыс млн млрд
    вул буд ім див тис наприкл гр
    cad sok mah doç yrd bkz vd örn m.ö m.s t.c
    αγ βλ δηλ π.χ
    kb pl ún
    डॉ श्री श्रीमती सुश्री प्रो पं कु स्व ডা ড মো মোঃ অধ্যা"""
)
# Not the end before a number or a letter that numbers ("No. 5", "vol. iv", "Exh. B").
_NUMBERED = _words(
    """no nos nr nro art fig figs eq eqs sec sect ch chap vol vols p pp par para ref refs tab ex op lin ll bd abs kap
    núm jan feb mar apr jun jul aug sep sept oct nov dec ver exh exhs app apps sched
    rn ziff anm aufl pág págs cap caps vol sez pag pagg nn afb blz str pkt ust poz wyd
    рис табл гл ст стр см пп п разд
    ok bl ap alin kl kat αρ σελ τηλ κεφ
    janv févr juil ene abr dic giu lug ott fev dez okt mrt ian febr iun iul sty lut kwi cze sie wrz paź lis gru
    янв фев мар апр июн июл авг сен сент окт ноя дек січ лют бер квіт трав черв серп вер жовт груд ई সং"""
)
# The end only before a word that often starts a sentence.
_MAYBE = _words(
    """inc ltd co corp jr bros etc dept univ assn ave blvd rd est tel ext min max a.m p.m u.s u.k u.n e.u ph.d
    m.d b.a m.a b.c a.d usw d.c l.a n.y ecc enz itd itp ltda cía mio mrd долл"""
)
# Words before a German ordinal ("die 2. Auflage"): English has none of them before a number that ends a sentence.
_BEFORE_ORDINAL = _words(
    "der die das den dem des ein eine einem einer eines am im vom zum zur beim seit nach jede jeder jedes ihr sein sein"
    " unser dritte kapitel"
)
_STARTERS = _words(
    """the a an this that these those he she it we they you i his her its our their my your there here in on at as by
    for from to of with and but or nor yet so if when while where why how what who which after before since until
    although though because however moreover therefore thus then also another other some many most all both each
    every no not one two several such under over between during through despite according today yesterday later now"""
)
_ORDINATED = _words(
    "januar februar märz april mai juni juli august september oktober november dezember jahrhundert jahrhunderts"
)
_OPENERS = "([{\"'“‘«‹„¿¡「『（《*_"
_NUMBER = re.compile(r"\d+|[ivxlc]{1,5}")
_DOUBLED = re.compile(r"([A-Z])\1$")  # "EE. UU.", "RR. HH."
_INLINE_CODE = re.compile(r"(?<!`)(`{1,2})(?![`\s])[^`]{1,160}+(?<!\s)\1(?!`)")  # also the text of an RST role
# Nothing is cut inside brackets, titles and short quotations of scripts without spaces. Bounded, so linear.
_ENCLOSED = re.compile(
    r"《[^《》]{1,120}》|〈[^〈〉]{1,120}〉|（[^（）]{1,200}）|【[^【】]{1,120}】|〔[^〔〕]{1,120}〕|「[^「」]{1,120}」|『[^『』]{1,120}』"
    r"|“[^“”]{1,120}”"
)
_SPEAKS = re.compile(r"[^\s。！？，：；、“”「」]{0,10}(?:说|說|道|问|問|答|喊|叫|想)(?=[。！？着著了]|$)")
_TAIL = re.compile(r"[^\W_]++(?:\.[^\W_]++)*+")  # read from the end: a search for what ends there is quadratic
_CITED = re.compile(r"\[\d[\d,;–\- ]{0,20}\]")  # "shown. [33]. In"
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_BULLETS = frozenset("-*+•‣◦·([0123456789")
_LISTED = re.compile(r"(?:[-*+•‣◦·]|\(?\d{1,3}[.)]|\[?\d{1,4}[-/:.]\d)\S*\s")


_LONGEST_NUMERAL = 5
_SHORTENED = _TITLES | _NUMBERED | _MAYBE


def has_word(text: str, start: int, end: int) -> bool:
    """True when the range holds a letter or a digit."""
    return text[start].isalnum() or _WORD.search(text, start, end) is not None


def _last_word(text: str, low: int, stop: int) -> tuple[str, bool]:
    """The word that the full stop at `stop` closes, with the stops inside it; and whether it stands alone ("J")."""
    head = text[max(low, stop - 24) : stop]
    tail = _TAIL.match(head[::-1])
    if tail is None:
        word = head.rpartition(" ")[2].lstrip(_OPENERS)
        return (word, True) if head[-1:] > "\u0300" else ("", False)  # a vowel sign at the end: "डॉ."
    start = len(head) - tail.end()
    before = head[start - 1 : start]
    return head[start:], not before or before.isspace() or before in _OPENERS


def _first_word(text: str, start: int, end: int) -> str:
    head = text[start : min(end, start + 20)].split(None, 1)
    return head[0].strip(_OPENERS + ",;:'’") if head else ""


def _word_before(text: str, low: int, at: int) -> str:
    """The word that ends before `at`, in lower case, of the 16 characters there."""
    parts = text[max(low, at - 16) : at].split()
    return parts[-1].lower() if parts else ""


def _single_letter(text: str, low: int, stop: int, after: int, following: str) -> bool:
    """Whether the letter before the full stop at `stop` stands for a word: "J. Smith", "z. B.", "ул. Ленина, д. 5"; but
    not in "from A to B. For", "So do I. The", "1990 г. Потом"."""
    letter = text[stop - 1]
    if text[after + 1 : after + 2] == "." and text[after].isalpha():  # "z. B.", "т. е."
        return not text[after].isupper() or letter.islower() or following.lower() not in _STARTERS
    if letter.islower():
        return not _word_before(text, low, stop - 1)[-1:].isdigit()
    return letter.isupper() and following.lower() not in _STARTERS


def _abbreviated(text: str, low: int, stop: int, after: int, high: int) -> bool:
    """True when the full stop at `stop` belongs to a shortened word and the sentence goes on at `after`."""
    last = text[max(low, stop - 24) : stop].rpartition(" ")[2]
    if last.isalpha() and (small := last.lower()) not in _SHORTENED:  # most words
        if len(last) > _LONGEST_NUMERAL:
            if last[-3:] != "str":
                return False
        elif len(last) > 2 and small.strip("ivxlc"):
            return False
    word, alone = _last_word(text, low, stop)
    if not word or len(word) > 12:
        return False
    small = word.lower()
    following = _first_word(text, after, high)
    # "1. First", "B. Next": the number of a list, at the start of what it numbers
    first = len(word) <= 4 and not text[max(low, stop - 12) : stop - len(word)].strip(_OPENERS + " \n")
    if small in _TITLES:
        return True
    if len(word) == 1 and word.isalpha() and alone:
        return (first and word.isupper()) or _single_letter(text, low, stop, after, following)
    if small in _NUMBERED or (small.endswith("str") and len(small) > 5):  # "Goethestr. 5"
        bare = following.rstrip(".)")
        return text[after].isdigit() or bool(_NUMBER.fullmatch(bare.lower())) or (len(bare) == 1 and bare.isupper())
    if _NUMBER.fullmatch(small):
        ordinal = len(word) <= 2 and following.lower().rstrip(".") in _ORDINATED
        return first or ordinal or (len(word) <= 2 and _word_before(text, low, stop - len(word)) in _BEFORE_ORDINAL)
    if _DOUBLED.fullmatch(word) and alone:
        return _DOUBLED.match(following.rstrip(".")) is not None
    if small in _MAYBE or _DOTTED.fullmatch(word):
        return following.lower() not in _STARTERS
    return False


def _ends(text: str, low: int, stop: re.Match[str], high: int) -> bool:
    """Does a sentence that began at `low` end at this stop? What follows starts at stop.end()."""
    at, after = stop.span()
    first, following = text[at], text[after]
    if "A" <= following <= "Z" and first in ".?!" and stop.lastindex == 1:  # most sentences
        return first != "." or text[at + 1] == "." or not _abbreviated(text, low, at, after, high)
    if following in _NEVER_FIRST:  # ". . ." is one ellipsis
        return False
    if stop.lastindex == 2:  # a stop of a script without spaces; quoted speech goes on ("「…。」と", "“…。”他说。")
        if (
            first == "．"
            and text[at - 1 : at].isalnum()
            and following.isalnum()
            and (following < "\u2e80" or "\uff10" <= following <= "\uff5a")
        ):
            return False  # "３．１４"
        if text[after - 1] in "」』”":
            return following != "と" and _SPEAKS.match(text, after, high) is None
        return True
    if following.islower():
        return False
    if following == "[" and _CITED.match(text, after, high):
        return False
    if following in "([{" and first == "." and text[after + 1 : after + 2].islower():
        return False
    return first != "." or after - at == 1 or text[at + 1] == "." or not _abbreviated(text, low, at, after, high)


def _new_lines(text: str, start: int, end: int) -> list[int]:
    """Starts of the lines that begin something new: bullets, dates, and first words that had room on the line above.

    Three lines or more that all begin with a capital are verse.
    """
    lines = text[start:end].split("\n")
    verse = len(lines) > 2 and all(line.lstrip()[:1].isupper() for line in lines)
    width = sys.maxsize if verse else max(map(len, lines))
    breaks: list[int] = []
    at, used = start + len(lines[0]) + 1, len(lines[0].rstrip())
    for line in lines[1:]:
        words = line[:80].split(None, 1)
        if words:
            first = words[0]
            fits = used + 1 + len(first) <= width and (not first[0].islower() or used < width * 0.6)
            if fits or (first[0] in _BULLETS and _LISTED.match(line.lstrip())):
                breaks.append(at + len(line) - len(line.lstrip()))
        at += len(line) + 1
        used = len(line.rstrip())
    return breaks


def sentence_spans(text: str, start: int, end: int) -> list[Span]:
    """Sentences of the trimmed range [start, end): trimmed, not empty, in order, covering all but white space."""
    starts: list[int] = []
    low, seen, bracket = start, 0, 0
    unspaced = not text.isascii() and _HAS_ANYWHERE.search(text, start, end) is not None
    pattern = _END_ANY if unspaced else _END
    broken = text.find("\n", start, end) >= 0
    stops = [*pattern.finditer(text, start, end)]
    if not broken and not stops and (text.isascii() or end - start <= _LONG_PHRASE):
        return [(start, end)]
    lines = _new_lines(text, start, end) if broken else []
    inside = [m.span() for m in _ENCLOSED.finditer(text, start, end)] if unspaced else []
    if text.find("`", start, end) >= 0:
        inside = sorted([*inside, *(m.span() for m in _INLINE_CODE.finditer(text, start, end))])
    for stop in stops:
        at, after = stop.span()
        while seen < len(lines) and lines[seen] <= at:
            low, seen = max(low, lines[seen]), seen + 1
        while bracket < len(inside) and inside[bracket][1] <= at:
            bracket += 1
        if bracket < len(inside) and inside[bracket][0] < at:
            opened, closed = inside[bracket]
            if after < closed or (opened > low and text[opened] not in "「『“`"):
                continue
        if after < end and _ends(text, low, stop, end):
            low = after
            starts.append(low)
    if lines:
        starts = sorted({*starts, *lines})
    if not text.isascii() and _PHRASE_GAP.search(text, start, end):
        starts = _with_phrases(text, start, end, starts)
    return _with_words(text, start, end, starts)


def _with_phrases(text: str, start: int, end: int, starts: list[int]) -> list[int]:
    """The starts with those of phrases, in sentences of more than 120 characters of a script without stops."""
    out: list[int] = []
    for low, high in pairwise([start, *starts, end]):
        if low > start:
            out.append(low)
        if high - low > _LONG_PHRASE:
            for gap in _PHRASE_GAP.finditer(text, low, high):
                if gap.end() - low >= _SHORT_PHRASE and high - gap.end() >= _SHORT_PHRASE:
                    low = gap.end()
                    out.append(low)
    return out


def _with_words(text: str, start: int, end: int, starts: list[int]) -> list[Span]:
    """The spans that begin at `start` and `starts`; one without a word is no sentence and joins its neighbour."""
    spans: list[Span] = []
    low, wordless = start, False
    for following in [*starts, end]:
        high = following
        while text[high - 1].isspace():
            high -= 1
        worded = text[low].isalnum() or has_word(text, low, high)
        if spans and (wordless or not worded):
            spans[-1] = (spans[-1][0], high)
            wordless = wordless and not worded
        else:
            spans.append((low, high))
            wordless = not worded
        low = following
    return spans
