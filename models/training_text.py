"""Free text to train on, cut into titled passages: Debian's documentation packages, dictionaries and Python source.

    for p in $PACKAGES; do apt-get download $p; dpkg -x ${p}_*.deb root/$p; done        (README.md has the list)
    python models/training_text.py root [SITE_PACKAGES] > passages.jsonl

Each line is {"source", "title", "text"}: a headword and its definition, a heading and a paragraph under it, a
docstring and its code. Nothing but the standard library is needed.
"""

import ast
import gzip
import json
import random
import re
import sys
from html.parser import HTMLParser
from itertools import islice
from pathlib import Path

LONGEST = 140
"""Words a passage: a little over what the teacher reads in one window of 256 pieces."""
PER_SOURCE = 24000
"""Passages kept of one source (drawn at random), so that no single style rules."""
HEADINGS = frozenset(("h1", "h2", "h3", "h4", "title"))
BLOCKS = HEADINGS | frozenset(
    ("h5", "h6", "p", "li", "dd", "dt", "td", "th", "pre", "div", "tr", "section", "br", "table")
)
UNSEEN = frozenset(("script", "style", "nav", "header", "footer"))


def squeeze(text):
    return re.sub(r"\s+", " ", text).strip()


def passages(paragraphs, least=6):
    """Neighbouring paragraphs joined up to about 60 words, longer ones cut at sentence ends under LONGEST words."""
    held = ""
    for paragraph in map(squeeze, paragraphs):
        held = f"{held} {paragraph}".strip()
        if len(held.split()) >= 60:
            yield from cut(held)
            held = ""
    if len(held.split()) >= least:
        yield from cut(held)


def cut(text):
    words = 0
    part = []
    for sentence in re.split(r"(?<=[.!?;:]) ", text):
        length = len(sentence.split())
        if part and words + length > LONGEST:
            yield " ".join(part)
            part, words = [], 0
        part.append(" ".join(sentence.split()[:LONGEST]))
        words += length
    if words >= 4:
        yield " ".join(part)


class Page(HTMLParser):
    """Collects (heading, paragraphs) from HTML and Mallard pages."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts, self.heading, self.paragraphs = [], "", []
        self.here, self.hidden, self.in_heading = [], 0, False

    def flush(self):
        text = squeeze("".join(self.here))
        self.here = []
        if not text:
            return
        if self.in_heading:
            self.parts.append((self.heading, self.paragraphs))
            self.heading, self.paragraphs = text, []
        else:
            self.paragraphs.append(text)

    def handle_starttag(self, tag, attrs):
        self.hidden += tag in UNSEEN
        if tag in BLOCKS:
            self.flush()
            self.in_heading = tag in HEADINGS

    def handle_endtag(self, tag):
        self.hidden -= tag in UNSEEN and self.hidden > 0
        if tag in BLOCKS:
            self.flush()
            self.in_heading = False

    def handle_data(self, data):
        if not self.hidden:
            self.here.append(data)


def read(path):
    if not path.is_file():
        return ""
    raw = path.read_bytes()
    if path.suffix in (".gz", ".dz"):
        raw = gzip.decompress(raw)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def pages(paths):
    for path in paths:
        page = Page()
        page.feed(read(path))
        page.flush()
        for heading, paragraphs in [*page.parts, (page.heading, page.paragraphs)]:
            title = re.sub(r"^[\d.\s]+|[¶#]", "", heading).strip()
            for text in passages(paragraphs):
                yield title, text


def number(code):
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    value = 0
    for c in code:
        value = value * 64 + digits.index(c)
    return value


def dictionary(folder, name):
    """Headword and senses from a dictd pair of files."""
    data = gzip.decompress(next(folder.rglob(f"{name}.dict.dz")).read_bytes())
    seen = set()
    for line in next(folder.rglob(f"{name}.index")).read_text("utf-8", "replace").splitlines():
        word, start, size = line.split("\t")[:3]
        if word.startswith("00") or (start, size) in seen:
            continue
        seen.add((start, size))
        entry = data[number(start) : number(start) + number(size)].decode("utf-8", "replace")
        entry = re.sub(r"\[1913 Webster\]|\[PJC\]|\[WordNet 1.5\]|\\[^\\\n]*\\|\[Obs\.\]|--[A-Z]\w*\.?", " ", entry)
        body = entry.split("\n", 1)[-1].replace("{", "").replace("}", "")
        for sense in re.split(r"\n\s+(?:[nv]|adj|adv)?\s*\d+[:.]\s", "\n" + body):
            sense = re.sub(r"^[nv] 1: |^(?:adj|adv) 1: ", "", squeeze(sense))
            for text in passages([sense], least=4):
                yield word, text


def manual(path):
    """A manual page, its roff requests dropped."""
    text = re.sub(r"\\f[A-Z]|\\&|\\-|\\\(\w\w", lambda m: "-" if m.group() == "\\-" else "", read(path))
    title, held = "", []
    for line in text.splitlines():
        if line.startswith((".SH", ".SS")):
            yield from ((title, t) for t in passages(held))
            title, held = f"{path.name.split('.')[0]} {line[3:].strip().strip(chr(34)).lower()}", []
        elif line.startswith((".B", ".I")):
            held.append(line.split(" ", 1)[-1].replace('"', ""))
        elif not line.startswith((".", "'")):
            held.append(line)
    yield from ((title, t) for t in passages(held))


def plain(path, separator=r"\n\s*\n"):
    for text in passages(re.split(separator, read(path))):
        yield "", text


def strings(path, pattern):
    """Prose inside game data: descriptions and talk."""
    for text in passages(m.group(1) for m in re.finditer(pattern, read(path), re.S) if m.group(1).count(" ") > 3):
        yield "", re.sub(r"<[^>]+>", " ", text)


def python(path):
    """Every documented function: the first sentence of its docstring, and its code with the rest."""
    try:
        tree = ast.parse(source := read(path))
    except (SyntaxError, ValueError, RecursionError):
        return
    lines = source.splitlines()
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            continue
        doc = ast.get_docstring(node)
        if not doc or len(doc.split()) < 4 or not isinstance(node.body[0], ast.Expr):
            continue
        first, _, rest = doc.partition("\n")
        code = "\n".join(
            lines[node.lineno - 1 : node.body[0].lineno - 1] + lines[node.body[0].end_lineno : node.end_lineno]
        )
        yield squeeze(first), squeeze(" ".join(code.split()[:LONGEST]))
        for text in passages(re.split(r"\n\s*\n", rest), least=12):
            yield node.name.replace("_", " "), text


def english(paths):
    foreign = re.compile(r"\.(?!en\b)[a-z]{2}(?:[-_][A-Za-z]+)?\.(?:html|utf8)|/(?!en)[a-z]{2}(?:-[A-Z]{2})?/")
    return [p for p in sorted(paths) if not foreign.search(str(p))]


def sources(root, site_packages):
    for name in ("wn", "gcide", "jargon", "devil", "foldoc"):
        if (root / f"dict-{name}").is_dir():
            yield name, dictionary(root / f"dict-{name}", name)
    for folder in sorted(root.iterdir()):
        html = [p for p in english(folder.rglob("*.html*")) if p.is_file() and p.suffix in (".html", ".gz", ".en")]
        html += [p for p in folder.rglob("*.page") if "/C/" in str(p)] + english(folder.rglob("description.en.utf8"))
        random.Random(0).shuffle(html)
        yield folder.name, pages(html)
        yield f"{folder.name}/man", (t for p in english(folder.rglob("man?/*.gz")) for t in manual(p))
        pods = sorted(folder.rglob("*.pod"))
        yield f"{folder.name}/pod", (t for p in pods for t in plain(p, r"\n=\w+|\n\s*\n"))
    for p in root.glob("fortunes*/usr/share/games/fortunes/*"):
        if not p.suffix and p.is_file() and not p.is_symlink():
            yield "fortunes", plain(p, r"\n%\n")
    crawl = [p for p in english(root.glob("crawl-common/usr/share/crawl/dat/descript/*.txt"))]
    yield "crawl", (t for p in crawl for t in plain(p, r"\n%%%%\n"))
    yield "wesnoth", (t for p in sorted(root.glob("wesnoth*/**/*.cfg")) for t in strings(p, r'=\s*_\s*"([^"]+)"'))
    yield "endless-sky", (t for p in sorted(root.glob("endless*/**/*.txt")) for t in strings(p, r"`([^`]+)`"))
    yield "freeciv", (t for p in sorted(root.glob("freeciv*/**/*.ruleset")) for t in strings(p, r'_\("([^"]+)"\)'))
    for p in root.glob("*/usr/share/doc/*/copyright"):
        yield "licences", plain(p)
    if site_packages:
        code = sorted(p for p in site_packages.rglob("*.py") if "test" not in str(p))
        random.Random(0).shuffle(code)
        yield "python", islice((t for p in code for t in python(p)), PER_SOURCE)


def main(root, site_packages=None):
    drawn, seen = {}, set()
    draw = random.Random(0)
    for source, records in sources(root, site_packages):
        kept = drawn.setdefault(source, [])
        for count, (title, text) in enumerate(records):
            if count > 4 * PER_SOURCE:
                break
            letters = sum(c.isalpha() and c.isascii() for c in text)
            if letters < 0.6 * len(text) or text in seen:
                continue
            seen.add(text)
            kept.append({"source": source, "title": title[:200], "text": text})
        print(source, len(kept), file=sys.stderr)
    for kept in drawn.values():
        draw.shuffle(kept)
        for record in kept[:PER_SOURCE]:
            print(json.dumps(record, ensure_ascii=False))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
