"""Markdown pages of the measurements of time: packs beside LangChain's filter, and sizes up to a million rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fieldpack.bench.tables import Results, markdown

STAGES = ("segment", "words", "count", "relevance", "pack", "render")


def speed_page(results: Results) -> str:
    """Packs beside LangChain's filter, cold start, memory and imports."""
    packs = [
        [
            f"{r['passages']} passages, {r['tokens']:,} tokens",
            r["what"],
            f"{r['ms']:.1f}",
            f"{r['clock_ms']:.1f}",
            f"{r['times_fieldpack']:.2f}",
            f"{r['times_indexed']:.2f}",
        ]
        for r in results["packs"]
    ]
    start = [[r["what"], str(r["ms"]), str(r["clock_ms"]), f"{r['times_floor']:.2f}"] for r in results["cold_start"]]
    return "\n\n".join(
        [
            f"{_machine(results)}.",
            markdown(["passages", "system", "processor ms", "clock ms", "x fieldpack", "x fieldpack indexed"], packs),
            markdown(["fresh process", "processor ms", "clock ms", "x floor"], start),
            markdown(["peak memory, 1,000 passages", "MB"], [[r["what"], f"{r['mb']:.0f}"] for r in results["memory"]]),
            markdown(["imports of a first pack", "own ms"], [[r["module"], str(r["ms"])] for r in results["imports"]]),
        ]
    )


def scale_page(results: Results) -> str:
    """Packs, streams, indexes and the field from 1,000 to 1,000,000 rows, and the floor of reading a text."""
    floor = results["floor"]["rows"][0]
    load = [r["load"] for k in ("text", "stream", "index", "vectors", "floor") for r in results[k]["rows"]]
    fits = [[k, *(f"{n} {v:.2f}" for n, v in results[k]["exponents"].items())] for k in ("text", "stream", "vectors")]
    stages = [f"{s} s" for s in STAGES]
    return "\n\n".join(
        [
            f"{_machine(results)}; load average while it ran: {min(load):.0f} to {max(load):.0f}.",
            markdown(
                ["segments", "tokens", *stages, "clock s", "processor s", "peak MB", "texts MB"],
                [_pack_row(r) for r in results["text"]["rows"]],
            ),
            markdown(
                ["streamed segments", "held", "processor s", "peak MB", "before MB"],
                [_stream_row(r) for r in results["stream"]["rows"]],
            ),
            markdown(
                ["indexed segments", "built s", "pack ms", "first added document ms", "later ones ms"],
                [_index_row(r) for r in results["index"]["rows"]],
            ),
            markdown(
                ["rows of vectors", "field read s", "graph s", "kind", "recall at 10"],
                [_vectors_row(r) for r in results["vectors"]["rows"]],
            ),
            markdown([f"{floor['passages']:,} passages", "clock s", "processor s"], _floor_rows(floor)),
            "Exponents (log seconds over log size, from 10,000 on): "
            + "; ".join(f"{name}: {', '.join(values)}" for name, *values in fits)
            + ".",
        ]
    )


def _machine(results: Results) -> str:
    m = results["machine"]
    return f"{m['system']} {m['processor']}, {m['cores']} cores, Python {m['python']}"


def _pack_row(row: Mapping[str, Any]) -> list[str]:
    return [
        f"{row['segments']:,}",
        f"{row['tokens']:,}",
        *(f"{row['stages_processor_s'][s]:.2f}" for s in STAGES),
        f"{row['clock_s']:.1f}",
        f"{row['processor_s']:.1f}",
        f"{row['peak_mb']:,}",
        f"{row['texts_alone_mb']:,}",
    ]


def _stream_row(row: Mapping[str, Any]) -> list[str]:
    sizes = [f"{row['segments']:,}", f"{row['held']:,}"]
    return [*sizes, f"{row['processor_s']:.1f}", f"{row['peak_mb']:,}", f"{row['before_mb']:,}"]


def _index_row(row: Mapping[str, Any]) -> list[str]:
    first, *later = row["add_one_document_ms"]
    return [
        f"{row['segments']:,}",
        f"{row['built']['processor_s']:.1f}",
        f"{row['pack_median_ms']['processor']:.0f}",
        f"{first:.0f}",
        f"{sorted(later)[1]:.0f}",
    ]


def _floor_rows(floor: Mapping[str, Any]) -> list[list[str]]:
    sides = (("WordPiece, batched", "wordpiece"), ("o200k_base, batched", "o200k_base"), ("a pack", "pack"))
    rows = [[name, f"{floor[key]['clock_s']:.2f}", f"{floor[key]['processor_s']:.2f}"] for name, key in sides]
    over = floor["pack_over_floor"]
    return [*rows, ["a pack, x both tokenizers", f"{over['clock_s']:.2f}", f"{over['processor_s']:.2f}"]]


def _vectors_row(row: Mapping[str, Any]) -> list[str]:
    exact, other = row.get("graph"), row.get("graph by FAISS")
    if exact is None:
        return [f"{row['rows']:,}", f"{row['read']['processor_s']:.2f}", "", "", ""]
    seconds = f"{exact['processor_s']:.1f}" + (f", {other['processor_s']:.1f}" if other else "")
    kind = exact["kind"] + (", FAISS HNSW" if other else "")
    return [
        f"{row['rows']:,}",
        f"{row['read']['processor_s']:.2f}",
        seconds,
        kind,
        f"{other['recall_at_10']:.3f}" if other else "",
    ]
