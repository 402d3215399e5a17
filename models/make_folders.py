"""Makes labelled folders of documentation to train the scorer's section layers on, from packages that people install.

    python models/make_folders.py --sources FOLDER --out OUT

FOLDER holds, unpacked: the sdists Django 4.2.16 and celery 5.4.0, and under `debian/` the Debian 12 packages nodejs-doc
and, for manual pages, btrfs-progs, cryptsetup-bin, dpkg, e2fsprogs, iproute2, lvm2, mdadm, nftables, openssl, passwd,
podman, util-linux (`dpkg -x`). For the second set also the sdists hatch 1.18.2, pytest 8.3.5 and ansible-base 2.10.17,
the npm package bun-types 1.4.5 (as `bun-types-1.4.5/`), and under `debian2/` the Debian 12 packages vim-runtime and
those that hold the pages named in folder_questions/many.pages. Needs man, groff and col.

The questions stand in folder_questions/, written for this, before anything was trained: `question ||| part ;; part`,
each part `text // text`, of which any is the answer; `text@file` only in that file; `first words ... last words` is the
span from the first words to the last, which follow within 1,200 characters. None of these packages is one that
fieldpack is measured on. `--only NAME` writes some of the folders.
"""

import argparse
import gzip
import json
import random
import re
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
SKIPPED = re.compile(r"^(ip-route|ss|useradd|fstab|mount|flock|unshare)\.")
"""Pages of the folder `man` that fieldpack is measured on."""
LONGEST, MORE, LEAST_CHARS, MOST_PLACES = 60, 120, 1500, 12
WITHIN = 1200
"""The most characters between the first and the last words of a span that is given by both."""


def tree(root, ending, without="\0"):
    paths = sorted(p for p in root.rglob(f"*{ending}") if p.is_file() and without not in p.as_posix())
    return [(p.relative_to(root).as_posix(), p.read_bytes().decode("utf-8", "replace")) for p in paths]


def unzipped(root):
    def read(path):
        return gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()

    return [(p.name.removesuffix(".gz"), read(p).decode()) for p in sorted(root.glob("*.md*"))]


def manual_page(path):
    command = f"MANWIDTH=100 man -E utf-8 -l {path} | col -bx"
    shown = subprocess.run(command, shell=True, capture_output=True, check=True)
    return path.name.removesuffix(".gz") + ".txt", shown.stdout.decode("utf-8", "replace")


def named_pages(root):
    names = (HERE / "folder_questions" / "many.pages").read_text("utf-8").split()
    return [manual_page(root / f"man{re.search(r'[.]([0-9])', name)[1]}" / f"{name}.gz") for name in sorted(names)]


def manual_pages(root):
    paths = [p for p in sorted(root.glob("man*/*.gz")) if not p.is_symlink() and not SKIPPED.match(p.name)]
    pages = [manual_page(path) for path in paths]
    pages = [page for page in pages if len(page[1]) > LEAST_CHARS]
    random.Random(1).shuffle(pages)
    return sorted(dict(sorted(pages, key=lambda p: -len(p[1]))[:LONGEST] + pages[LONGEST : LONGEST + MORE]).items())


def questions(name, documents):
    out = []
    for number, line in enumerate((HERE / "folder_questions" / f"{name}.txt").read_text("utf-8").splitlines()):
        query, parts = line.split(" ||| ")
        groups = [places(part, documents) for part in parts.split(" ;; ")]
        if any(groups):
            out.append({"id": f"{name}-{number}", "query": query, "groups": [g for g in groups if g]})
    return out


def spelt(wanted):
    """The pattern of a text: runs of white space may differ, ` ... ` stands for anything up to the last words."""
    ends = [r"\s+".join(map(re.escape, end.split())) for end in wanted.split(" ... ")]
    return re.compile(f".{{0,{WITHIN}}}?".join(ends), (re.IGNORECASE if len(wanted) > 25 else 0) | re.DOTALL)


def places(part, documents):
    """Where the texts of one part stand."""
    out = []
    for text in part.split(" // "):
        named = re.match(r"(.*)@([\w/.-]+)$", text)
        wanted, file = (named[1], named[2]) if named else (text, "")
        pattern = spelt(wanted)
        for name, body in documents:
            if file in name:
                found = list(pattern.finditer(body))[:2]
                out += [{"doc": name, "start": m.start(), "end": m.end()} for m in found]
    return out[:MOST_PLACES]


def write(path, rows):
    with gzip.open(path, "wt", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def readers(sources):
    share, share2 = sources / "debian" / "usr" / "share", sources / "debian2" / "usr" / "share"
    return {
        "django": lambda: tree(sources / "Django-4.2.16" / "docs", ".txt"),
        "celery": lambda: tree(sources / "celery-5.4.0" / "docs", ".rst"),
        "node": lambda: unzipped(share / "doc" / "nodejs" / "api"),
        "manx": lambda: manual_pages(share / "man"),
        "bun": lambda: tree(sources / "bun-types-1.4.5" / "docs", ".mdx", without="/lint/"),
        "hatch": lambda: tree(sources / "hatch-1.18.2" / "docs", ".md"),
        "pytest": lambda: tree(sources / "pytest-8.3.5" / "doc" / "en", ".rst"),
        "ansible": lambda: tree(sources / "ansible-base-2.10.17" / "docs" / "docsite" / "rst", ".rst"),
        "many": lambda: named_pages(share2 / "man"),
        "vim": lambda: tree(share2 / "vim" / "vim90" / "doc", ".txt"),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sources", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--only", nargs="*", metavar="NAME", help="folders to write (all)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, read in readers(options.sources).items():
        if options.only and name not in options.only:
            continue
        documents = read()
        write(options.out / f"{name}.folder.jsonl.gz", [{"id": i, "text": t} for i, t in documents])
        write(options.out / f"{name}.folder.queries.jsonl.gz", questions(name, documents))
