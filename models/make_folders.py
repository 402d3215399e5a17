"""Makes labelled folders of documentation to train the scorer's section layers on, from packages that people install.

    python models/make_folders.py --sources FOLDER --out OUT

FOLDER holds, unpacked: the sdists Django 4.2.16 and celery 5.4.0, and under `debian/` the Debian 12 packages nodejs-doc
and, for manual pages, btrfs-progs, cryptsetup-bin, dpkg, e2fsprogs, iproute2, lvm2, mdadm, nftables, openssl, passwd,
podman, util-linux (`dpkg -x`). Needs man, groff and col. The questions stand in folder_questions/, written for this,
before anything was trained: `question ||| part ;; part`, each part `text // text`, of which any is the answer;
`text@file` only in that file. None of these packages is one that fieldpack is measured on.
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


def tree(root, ending):
    paths = sorted(p for p in root.rglob(f"*{ending}") if p.is_file())
    return [(p.relative_to(root).as_posix(), p.read_bytes().decode("utf-8", "replace")) for p in paths]


def unzipped(root):
    def read(path):
        return gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()

    return [(p.name.removesuffix(".gz"), read(p).decode()) for p in sorted(root.glob("*.md*"))]


def manual_pages(root):
    pages = []
    for path in sorted(root.glob("man*/*.gz")):
        if path.is_symlink() or SKIPPED.match(path.name):
            continue
        shown = subprocess.run(
            f"MANWIDTH=100 man -E utf-8 -l {path} | col -bx", shell=True, capture_output=True, check=True
        )
        pages.append((path.name.removesuffix(".gz") + ".txt", shown.stdout.decode("utf-8", "replace")))
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


def places(part, documents):
    """Where the texts of one part stand."""
    out = []
    for text in part.split(" // "):
        named = re.match(r"(.*)@([\w/.-]+)$", text)
        wanted, file = (named[1], named[2]) if named else (text, "")
        pattern = re.compile(r"\s+".join(map(re.escape, wanted.split())), re.IGNORECASE if len(wanted) > 25 else 0)
        for name, body in documents:
            if file in name:
                found = list(pattern.finditer(body))[:2]
                out += [{"doc": name, "start": m.start(), "end": m.end()} for m in found]
    return out[:MOST_PLACES]


def write(path, rows):
    with gzip.open(path, "wt", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sources", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()
    debian = options.sources / "debian" / "usr" / "share"
    folders = {
        "django": lambda: tree(options.sources / "Django-4.2.16" / "docs", ".txt"),
        "celery": lambda: tree(options.sources / "celery-5.4.0" / "docs", ".rst"),
        "node": lambda: unzipped(debian / "doc" / "nodejs" / "api"),
        "manx": lambda: manual_pages(debian / "man"),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    for name, read in folders.items():
        documents = read()
        write(options.out / f"{name}.folder.jsonl.gz", [{"id": i, "text": t} for i, t in documents])
        write(options.out / f"{name}.folder.queries.jsonl.gz", questions(name, documents))
