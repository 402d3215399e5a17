"""Builds the support-like set: a long question as in a forum, several documents of many short passages, and an answer
that shares few words with the question.

    python benchmarks/build_support.py --out FOLDER [--cache FOLDER]

It fetches the documentation packages of SOURCES with `apt-get download` (a system of the Debian family with its
lists; packages that lie in --cache are not fetched) and writes support.passages.jsonl.gz and support.queries.jsonl.gz
in the schema of benchmarks/README.md. The same packages give the same bytes.

A note is a run of sections of one page, 14 to 30 paragraphs with their page as title; a pool is six notes of one
project. A question is made of a section whose heading names a problem: the heading, and what its first paragraph says
of the symptom, in the first person and with other words where a list of synonyms has some; between phrases that posts
have, and headings of other sections of the project as what the writer tried or read. Its gold are the one or two
paragraphs of that section that say what to do and have at most SHARED of their words in common with the question; the
paragraph that the question restates stays among the candidates. Questions without such a paragraph are left out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NOTE, NOTE_MOST, POOL, PARAGRAPH, SHARED = 14, 30, 6, 700, 0.36
"""Paragraphs of a note at least and at most, notes of a pool, characters of a paragraph, words in common at most."""


@dataclass(frozen=True)
class Project:
    """A project, its package, and the pages that are read (stems of _sources/*.rst.txt); the first `problem_pages` hold
    the problems, the others only stand among the candidates."""

    name: str
    package: str
    problem_pages: int
    pages: tuple[str, ...]
    licence: str


SOURCES = (
    Project("Borg", "borgbackup-doc", 1, ("faq", "quickstart", "installation", "deployment/automated-local",
            "deployment/pull-backup", "deployment/image-backup", "usage/general", "usage/notes"), "BSD-3-Clause"),
    Project("Celery", "python-celery-doc", 6, ("faq", "userguide/debugging", "userguide/daemonizing",
            "userguide/workers", "userguide/optimizing", "userguide/tasks", "userguide/monitoring",
            "userguide/routing"), "BSD-3-Clause"),
    Project("mypy", "mypy-doc", 3, ("common_issues", "runtime_troubles", "faq", "running_mypy", "existing_code",
            "error_code_list", "error_code_list2", "installed_packages", "stubs"), "MIT"),
    Project("Requests", "python-requests-doc", 2, ("community/faq", "user/advanced", "user/quickstart",
            "user/authentication"), "Apache-2.0"),
)  # fmt: skip
OPENINGS = (
    "Hi all, I have been at this since yesterday and I am running out of ideas.",
    "Hello, we moved a project to {name} last month and mostly it has been fine, but now there is this.",
    "Sorry if this was answered before, I could not find anything that fits our situation.",
    "I am fairly new to {name}, so I may be missing something that is obvious to everybody else here.",
    "A colleague set up {name} for our team and has left, and now it is my turn to look after it.",
    "This worked on my laptop and on the old server, and it has only begun after the move to the new one.",
)
TRIED = (
    'I have already been through what is written about "{a}" and about "{b}", and neither is my case.',
    'At first I thought that it has to do with "{a}", and somebody pointed me to "{b}"; nothing changed.',
    'Searching gave me threads about "{a}" and "{b}", which look alike but end somewhere else.',
)
CLOSINGS = (
    "I can post the complete log and the configuration when that helps. What am I supposed to do about it? Thanks!",
    "Does anybody know where this comes from and how to get rid of it? It blocks the release of everybody here.",
    "Is that a bug or am I holding it wrong? Any hint is welcome, even if it is only where to look next.",
)
SYNONYMS = {
    "error": "failure", "errors": "failures", "fails": "breaks", "fail": "break", "failed": "broke", "slow": "sluggish",
    "hanging": "stuck", "hang": "get stuck", "hangs": "gets stuck", "missing": "absent", "wrong": "incorrect",
    "delete": "get rid of", "remove": "drop", "create": "make", "allow": "let me", "display": "show", "big": "huge",
    "large": "huge", "fast": "quick", "often": "many times", "sometimes": "now and then", "cannot": "am unable to",
    "can't": "am not able to", "doesn't": "does not", "isn't": "is not", "why": "how come", "prevent": "keep from",
    "throwing": "giving me", "raises": "gives me", "raise": "give me", "happens": "occurs", "happen": "occur",
    "start": "begin", "stop": "end", "multiple": "several", "needed": "necessary", "problem": "trouble",
    "problems": "trouble", "issue": "trouble", "issues": "trouble",
}  # fmt: skip
PERSON = {"you": "I", "your": "my", "yours": "mine", "yourself": "myself", "you're": "I am", "you've": "I have",
          "you'll": "I will"}  # fmt: skip
_PROBLEM = re.compile(
    r"\?|\b(not|no|never|why|error|errors|fail\w*|wrong|missing|slow|hang\w*|warning|broken|problem|issue|trouble|"
    r"cannot|can't|unable|refus\w*|unexpected|crash\w*|lost|stuck|causing|spurious|without|how)\b",
    re.IGNORECASE,
)
_REMEDY = re.compile(
    r"\b(you (can|could|should|need|may|must|have to)|use|set|add|run|try|make sure|instead|solution|fix|workaround|"
    r"avoid|simply|consider|pass|enable|disable|install|upgrade|increase|call|specify|recommend\w*|best)\b|``",
    re.IGNORECASE,
)
_ANSWER = re.compile(
    r"^(\*\*Answer:?\*\*:?\s*|(yes|no)\b|you (can|could|should|need)|use |see |this is not|try )", re.IGNORECASE
)
_RULE = re.compile(r"([=\-~^\"'*+#`.:_])\1{2,}\s*$")
_WORD = re.compile(r"[A-Za-z][A-Za-z_'-]+")
STOP = frozenset(
    [
        "a", "about", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "because", "been", "but",
        "by", "can", "could", "do", "does", "for", "from", "had", "has", "have", "how", "i", "if", "in", "into", "is",
        "it", "its", "just", "may", "me", "more", "most", "my", "no", "not", "of", "on", "one", "only", "or", "other",
        "our", "so", "some", "such", "than", "that", "the", "their", "then", "there", "these", "they", "this", "to",
        "up", "use", "used", "using", "was", "we", "what", "when", "where", "which", "while", "who", "will", "with",
        "would", "you", "your",
    ]
)  # fmt: skip


@dataclass
class Section:
    """A heading and its paragraphs."""

    heading: str
    paragraphs: list[str] = field(default_factory=list)


def fetch(package: str, cache: Path) -> Path:
    """The .deb of a package, from the cache or by `apt-get download`."""
    cache.mkdir(parents=True, exist_ok=True)
    if not (found := sorted(cache.glob(f"{package}_*.deb"))):
        subprocess.run(["apt-get", "download", package], cwd=cache, check=True)
        found = sorted(cache.glob(f"{package}_*.deb"))
    return found[-1]


def sources(deb: Path) -> dict[str, str]:
    """{page: reStructuredText} of the package's _sources."""
    with tempfile.TemporaryFile() as unpacked:
        subprocess.run(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=unpacked, check=True)
        unpacked.seek(0)
        with tarfile.open(fileobj=unpacked) as archive:
            files = [m for m in archive if m.isfile() and "/_sources/" in m.name and m.name.endswith(".rst.txt")]
            return {
                m.name.split("/_sources/", 1)[1].removesuffix(".rst.txt"): archive.extractfile(m).read().decode("utf-8")  # type: ignore[union-attr]
                for m in files
            }


def sections(text: str) -> Iterator[Section]:
    """The sections of a page with their paragraphs; code stays with the line that leads to it."""
    lines = text.splitlines()
    current, block = Section(""), list[str]()
    for i, line in enumerate(lines):
        below = lines[i + 1].rstrip() if i + 1 < len(lines) else ""
        bare = line.strip()
        if (
            bare
            and not _RULE.match(bare)
            and not line.startswith("..")
            and _RULE.match(below)
            and len(below) >= len(bare) - 1
        ):
            yield _closed(current, block)
            current, block = Section(plain(bare)), []
        elif not _RULE.match(line) or line[:1].isspace():
            block.append(line)
    yield _closed(current, block)


def _closed(section: Section, lines: Sequence[str]) -> Section:
    blocks = [b.strip("\n").rstrip() for b in re.split(r"\n\s*\n", "\n".join(lines)) if b.strip()]
    for block in blocks:
        if re.match(
            r"\s*\.\. (_|contents|index|image|figure|toctree|versionadded|versionchanged|module|highlight)", block
        ):
            continue
        block = plain(re.sub(r"(?m)^\s*:(local|depth|alt|width|backlinks|maxdepth|language|name):.*\n?", "", block))
        last = section.paragraphs[-1] if section.paragraphs else ""
        code = block[:1].isspace() and last and (last.endswith((":", "::")) or len(last) + len(block) < PARAGRAPH // 2)
        if code and len(last) + len(block) < PARAGRAPH:
            section.paragraphs[-1] = f"{last}\n\n{block}"
        elif block.strip():
            block = block if block[:1].isspace() else block.strip()
            section.paragraphs += list(_short(block))
    return section


def _short(block: str) -> Iterable[str]:
    """The block in parts of at most PARAGRAPH characters, cut at lines."""
    part = ""
    for line in block.splitlines(keepends=True):
        if part and len(part) + len(line) > PARAGRAPH:
            yield part.rstrip()
            part = ""
        part += line
    if part.strip():
        yield part.rstrip()


def plain(text: str) -> str:
    """Roles and targets as the words that a reader sees."""
    text = re.sub(r":[a-z:]+:`~?!?([^`<]+?)\s*<[^`>]*>`", r"\1", text)
    text = re.sub(r":[a-z:]+:`~?!?([^`]+)`", r"\1", text)
    text = re.sub(r"`([^`<]+?)\s*<[^`>]*>`_+", r"\1", text)
    return re.sub(r"(?m)^\.\. (code-block|code|sourcecode|note|warning|tip|admonition)::.*\n?", "", text)


def notes(page: Sequence[Section]) -> Iterator[list[Section]]:
    """Runs of sections with NOTE paragraphs or more."""
    run, size = list[Section](), 0
    for section in page:
        if not section.paragraphs:
            continue
        run.append(Section(section.heading, section.paragraphs[:NOTE_MOST]))
        size += len(run[-1].paragraphs)
        if size >= NOTE:
            yield run
            run, size = [], 0
    if size >= NOTE // 2:
        yield run


def words(text: str) -> set[str]:
    """Its words of content, in lower case, without the endings that most differ."""
    found = (w.lower() for w in _WORD.findall(text))
    return {re.sub(r"(ing|ed|es|s)$", "", w) for w in found if w not in STOP and len(w) > 2}


def post(project: Project, section: Section, others: Sequence[str]) -> str:
    """The question of a section, as somebody in a forum puts it."""
    seed = zlib.crc32(f"{project.name}/{section.heading}".encode())
    a, b = others[seed % len(others)], others[(seed // 7 + 1) % len(others)]
    symptom = "" if _ANSWER.match(section.paragraphs[0]) else section.paragraphs[0].split("\n\n")[0]
    told = [s for s in re.split(r"(?<=[.!?])\s+", " ".join(symptom.split())) if not _REMEDY.search(s)][:4]
    a, b = (re.sub(r"`+_*", "", heading) for heading in (a, b))
    parts = [
        OPENINGS[seed % len(OPENINGS)].format(name=project.name),
        f"It comes down to this: {reworded(section.heading)}{'' if section.heading.endswith('?') else '.'}",
        *(reworded(sentence) for sentence in told),
        TRIED[seed // 3 % len(TRIED)].format(a=a, b=b),
        CLOSINGS[seed // 5 % len(CLOSINGS)],
    ]
    return " ".join(parts)


def reworded(sentence: str) -> str:
    """The first person, and other words where SYNONYMS has some."""

    def other(match: re.Match[str]) -> str:
        word = match[0]
        new = PERSON.get(word.lower()) or SYNONYMS.get(word.lower(), word)
        return new[:1].upper() + new[1:] if word[:1].isupper() else new

    return re.sub(r"[A-Za-z][A-Za-z']*", other, re.sub(r"`+_*", "", sentence))


def answers(section: Section, question: str) -> list[int]:
    """The one or two paragraphs that say what to do and share few words with the question."""
    asked = words(question)
    first = 0 if _ANSWER.match(section.paragraphs[0]) else 1
    good = []
    for i, paragraph in enumerate(section.paragraphs[first:], first):
        own = words(paragraph)
        if len(own) >= 5 and _REMEDY.search(paragraph) and len(own & asked) <= SHARED * len(own):
            good.append(i)
    return good[:2] if good and good[0] <= first + 2 else []


def built(project: Project, pages: Mapping[str, str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Passages and questions of one project."""
    runs = [(page, run) for page in project.pages if page in pages for run in notes(list(sections(pages[page])))]
    runs.sort(key=lambda item: zlib.crc32(f"{item[0]}/{item[1][0].heading}".encode()))
    asked = project.pages[: project.problem_pages]
    headings = [s.heading for page, run in runs for s in run if page in asked and _PROBLEM.search(s.heading)]
    passages, queries = list[dict[str, Any]](), list[dict[str, Any]]()
    pools = [runs[i : i + POOL] for i in range(0, len(runs), POOL)]
    if len(pools) > 1 and len(pools[-1]) < POOL // 2:
        rest = pools.pop()
        pools[-1] += rest
    for number, pool in enumerate(pools):
        doc, pos = f"{project.name.lower()}-{number}", 0
        for k, (page, run) in enumerate(pool):
            title = f"{project.name} {page.rsplit('/', 1)[-1].replace('_', ' ')}, {run[0].heading}"
            for section in run:
                ids = [f"{doc}/{k}/{pos + j}" for j in range(len(section.paragraphs))]
                for j, (name, text) in enumerate(zip(ids, section.paragraphs, strict=True)):
                    whole = f"{section.heading}\n{text}" if j == 0 and section.heading else text
                    passages.append({"id": name, "title": title, "text": whole, "doc": doc, "pos": pos + j})
                pos += len(ids)
                others = [h for h in headings if h != section.heading]
                problem = page in asked and _PROBLEM.search(section.heading)
                if len(section.paragraphs) < 2 or not problem or len(others) < 2:
                    continue
                question = post(project, section, others)
                if gold := [ids[i] for i in answers(section, question)]:
                    row = {"id": f"support/{doc}/{pos}", "query": question, "doc": doc, "gold": gold, "mode": "all"}
                    queries.append({**row, "source": f"{project.package} {page}"})
    return passages, queries


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Lines of JSON; no time in the gzip header, so that the same rows give the same bytes."""
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes(gzip.compress(content.encode("utf-8"), mtime=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="where packages lie or go; OUT/packages without it")
    parsed = parser.parse_args()
    parsed.out.mkdir(parents=True, exist_ok=True)
    passages, queries = list[dict[str, Any]](), list[dict[str, Any]]()
    for project in SOURCES:
        deb = fetch(project.package, parsed.cache or parsed.out / "packages")
        some_passages, some_queries = built(project, sources(deb))
        asked = {q["doc"] for q in some_queries}
        passages += [p for p in some_passages if p["doc"] in asked]
        queries += some_queries
        print(f"{project.name} ({deb.name}, {project.licence}): {len(some_queries)} questions")
    write(parsed.out / "support.passages.jsonl.gz", passages)
    write(parsed.out / "support.queries.jsonl.gz", queries)
    pools = len({p["doc"] for p in passages})
    print(f"{len(queries)} questions, {pools} pools, {len(passages) / max(1, pools):.0f} passages each")


if __name__ == "__main__":
    main()
