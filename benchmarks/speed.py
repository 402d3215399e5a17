"""Packs beside LangChain's filter, cold start, memory: python benchmarks/speed.py [--page]"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    from fieldpack.bench import speed, speed_tables, tables

    warnings.simplefilter("ignore")  # the peers' own deprecations
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, default=HERE / "results" / "speed.json")
    parser.add_argument("--page", action="store_true", help="put the tables into benchmarks/README.md")
    options = parser.parse_args()
    results = speed.run()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    if options.page:
        tables.insert(HERE / "README.md", "speed", speed_tables.speed_page(results))
    print(speed_tables.speed_page(results))


if __name__ == "__main__":
    main()
