"""Evidence kept under a budget, fieldpack beside the peer libraries: python benchmarks/quality.py --data FOLDER

The same as `fieldpack bench`, and it puts the tables into benchmarks/README.md when asked by --page.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("FIELDPACK_DATA"), help="a data set or a folder of them")
    parser.add_argument("--sets", default="", help="names, separated by commas; all of them without it")
    parser.add_argument(
        "--systems", default="", help="names or baselines, peers, tiers, ablations, separated by commas"
    )
    parser.add_argument("--budgets", default="", help="shares below 1 or tokens, separated by commas")
    parser.add_argument("--limit", default="100", help="queries of each set, spread evenly: 100, or 100,qmsum=30")
    parser.add_argument("--embedder", default="minilm", help="the vectors that every system is given")
    parser.add_argument("--out", type=Path, default=Path("bench-out"), help="vectors and rows, for resuming")
    parser.add_argument("--redo", default="", help="systems to measure anew")
    parser.add_argument(
        "--held-out", type=Path, help="folder of SET.json: fieldpack's weights trained without that set"
    )
    parser.add_argument("--quick", action="store_true", help="few queries and systems, static vectors: two minutes")
    parser.add_argument("--json", type=Path, help="where the results go besides OUT/quality.json")
    parser.add_argument("--page", action="store_true", help="put the tables into benchmarks/README.md")
    options = parser.parse_args()
    if not options.data:
        parser.error("no data: give --data FOLDER or set FIELDPACK_DATA (see benchmarks/README.md for the formats)")
    return options


def limits_of(text: str) -> tuple[int, dict[str, int]]:
    """'100,qmsum=30' -> 100 for every set, 30 for qmsum."""
    first, *rest = text.split(",")
    return int(first), {name: int(number) for name, _, number in (part.partition("=") for part in rest)}


def show(name: str, done: int, total: int) -> None:
    if sys.stderr.isatty() or done == total:
        print(f"\r{name}: {done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)


def main() -> None:
    from fieldpack.bench import quality, tables

    warnings.simplefilter("ignore")  # the peers' own deprecations
    os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")
    parsed = arguments()
    listed = {name: tuple(filter(None, getattr(parsed, name).split(","))) for name in ("sets", "systems", "redo")}
    limit, limits = limits_of(parsed.limit)
    options = quality.Options(
        parsed.data,
        budgets=tuple(float(b) for b in parsed.budgets.split(",") if b),
        limit=limit,
        limits=limits,
        embedder=parsed.embedder,
        out=parsed.out,
        held_out=parsed.held_out,
        quick=parsed.quick,
        **listed,
    )
    results = quality.run(options, show)
    if parsed.json:
        quality.save(results, parsed.json)
    page = tables.quality_page(results)
    if parsed.page:
        tables.insert(HERE / "README.md", "quality", page)
    print(page)


if __name__ == "__main__":
    main()
