"""The parts of the speed benchmark that take no time."""

from __future__ import annotations

import subprocess
import sys

from fieldpack import assets
from fieldpack.bench import speed, speed_tables


def test_passages_are_distinct_of_the_size_asked_for_and_the_same_each_time() -> None:
    first, second = speed.passages(500, 18), speed.passages(500, 18)
    assert first == second and len({p.text for p in first}) == 500
    assert {len(p.text.split()) for p in first} == {18}


def test_sides_take_turns_and_the_fastest_round_counts() -> None:
    order: list[str] = []
    found = speed.fastest({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, {"a": 3, "b": 1})
    assert (
        order == ["a", "b", "a", "a"]
        and found.keys() == {"a", "b"}
        and all(0 <= ms < 1000 for pair in found.values() for ms in pair)
    )


def test_the_floor_of_a_cold_start_counts_as_tiktoken_does() -> None:
    """The reference process must really have o200k_base, not fail early."""
    ranks = str(assets.verified("tokenizers/o200k_base.tiktoken.gz"))
    said = speed.REFERENCE.replace("encode_ordinary('ready')", "n_vocab; print('built', tokenizers.__version__)")
    done = subprocess.run([sys.executable, "-c", said, ranks], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("built")


def test_imports_are_read_from_the_interpreter() -> None:
    rows = speed.imports(5, "import json.decoder")
    assert len(rows) == 5 and all(isinstance(r["module"], str) and r["ms"] >= 0 for r in rows)
    assert [r["ms"] for r in rows] == sorted((r["ms"] for r in rows), reverse=True)


def test_the_speed_page_shows_every_part() -> None:
    pack = {
        "passages": 20,
        "tokens": 1862,
        "what": "fieldpack",
        "ms": 9.0,
        "clock_ms": 8.0,
        "times_fieldpack": 1.0,
        "times_indexed": 3.0,
    }
    page = speed_tables.speed_page(
        {
            "machine": {"system": "Linux", "processor": "x86_64", "cores": 2, "python": "3.11"},
            "packs": [pack],
            "cold_start": [{"what": "floor", "ms": 900, "clock_ms": 850, "times_floor": 1.0}],
            "memory": [{"what": "fieldpack", "mb": 120.4}],
            "imports": [{"module": "numpy", "ms": 80.0}],
        }
    )
    for part in (
        "| 20 passages, 1,862 tokens | fieldpack | 9.0 | 8.0 | 1.00 | 3.00 |",
        "| floor | 900 | 850 | 1.00 |",
        "120",
        "numpy",
    ):
        assert part in page
