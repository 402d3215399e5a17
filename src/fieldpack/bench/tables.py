"""Markdown tables made from benchmark results, put between markers in a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fieldpack.bench.summary import CEILING, OURS, best_peer
from fieldpack.errors import InputError

Cell = Mapping[str, Any]
Results = Mapping[str, Any]


def quality_page(results: Results) -> str:
    """All tables of a quality run: the mean, one table a set, the comparison, budgets and times."""
    parts = [_setup(results), "### Mean over the sets", "Evidence kept:", mean_table(results, "evidence")]
    if any("answer" in c for c in results["cells"]):
        parts += ["Answer kept:", mean_table(results, "answer")]
    for name, about in results["sets"].items():
        size = (
            f"{about['queries']} queries, {about['passages']:g} passages and {about['tokens']:,} tokens of candidates"
        )
        parts += [f"### {name}", f"{size} each.", set_table(results, name)]
        if any(c["set"] == name for c in results["categories"]):
            parts += ["By sort of question, mean over the budgets:", category_table(results, name)]
    parts += [
        "### Against the best peer",
        "Evidence kept by the best peer of each set and budget (the strongest of all, chosen after the fact), and how "
        "much more fieldpack keeps, with the 95 % interval of the paired difference; * where it leaves 0 out.",
        comparison_table(results),
        "The mean over the sets of the same differences, each set with its mean over the budgets:",
        best_table(results),
    ]
    parts += ["### Budgets and time", cost_table(results)]
    return "\n\n".join(parts)


def set_table(results: Results, name: str) -> str:
    """Evidence kept by budget, then the set's other measures; a column's best peer is in bold, it and fieldpack come
    with 95 % intervals."""
    budgets = results["sets"][name]["budgets"]
    cells = {(c["system"], c["budget"]): c for c in results["cells"] if c["set"] == name}
    best = {b: best_peer([c for c in cells.values() if c["budget"] == b], results["systems"]) for b in budgets}
    others = [m for m in _others(results, name) if any(m in c for c in cells.values())]
    head = ["system", *(f"evidence {b}" for b in budgets), *(f"{m} {b}" for m in others for b in budgets)]
    lines = []
    for system in _order(results, name):
        row = [_label(system, results)]
        for b in budgets:
            strongest = best[b] is not None and best[b]["system"] == system  # type: ignore[index]
            ours = results["systems"][system] == OURS
            text = _figure(cells.get((system, b)), "evidence", with_interval=ours or strongest)
            row.append(f"**{text}**" if strongest else text)
        row += [_figure(cells.get((system, b)), m) for m in others for b in budgets]
        lines.append(row)
    return markdown(head, lines)


def _others(results: Results, name: str) -> tuple[str, ...]:
    """What is shown beside the evidence, by the kind of the set."""
    tool = results["sets"][name].get("kind") == "tool"
    return ("needs", "complete", "facts") if tool else ("answer", "facts")


def category_table(results: Results, name: str) -> str:
    """One column a sort of question. Outputs of tools: share of packs with all the evidence and all that it needs;
    otherwise the evidence."""
    measure = "complete" if results["sets"][name].get("kind") == "tool" else "evidence"
    cells = {(c["system"], c["category"]): c for c in results["categories"] if c["set"] == name}
    columns = list(dict.fromkeys(category for _, category in cells))
    rows = [
        [_label(s, results), *(_figure(cells.get((s, category)), measure) for category in columns)]
        for s in _order(results, name)
    ]
    return markdown([measure, *columns], rows)


def best_table(results: Results) -> str:
    """fieldpack minus the strongest peer of each set and budget: the mean over the sets, by kind of set."""
    cells = {(c["system"], c["kind"]): c for c in results["against_best"]}
    columns = list(dict.fromkeys(kind for _, kind in cells))
    if not columns:
        return "No fieldpack system in this run."
    sizes = {kind: max(c["sets"] for c in cells.values() if c["kind"] == kind) for kind in columns}
    lines = [
        [s, *(_gap_between(c["difference"], c["ci"]) if (c := cells.get((s, kind))) else "" for kind in columns)]
        for s in dict.fromkeys(system for system, _ in cells)
    ]
    return markdown(["mean ahead of the best peer", *(f"{k} ({sizes[k]} sets)" for k in columns)], lines)


def mean_table(results: Results, measure: str) -> str:
    """Mean over the sets that have a budget and the measure, then over all of them; in brackets how many figures.

    Blank where a system was not measured on one of them.
    """
    cells = {(c["system"], c["set"], c["budget"]): c[measure] for c in results["cells"] if measure in c}
    columns: dict[str, list[tuple[str, str]]] = {}
    for place in dict.fromkeys((c["set"], c["budget"]) for c in results["cells"] if measure in c):
        columns.setdefault(place[1], []).append(place)
    columns = dict(sorted(columns.items(), key=lambda item: (not item[0].endswith("%"), float(item[0].rstrip("%")))))
    columns["all"] = [place for places in columns.values() for place in places]
    lines = []
    for system in results["systems"]:
        values = [[cells.get((system, *place)) for place in places] for places in columns.values()]
        means = [None if None in column else sum(column) / len(column) for column in values]  # type: ignore[arg-type]
        if any(m is not None for m in means):
            lines.append((system, means))
    lines.sort(key=lambda line: (-(line[1][-1] or 0), line[0]))
    head = ["system", *(f"{b} ({len(places)})" for b, places in columns.items())]
    return markdown(
        head, [[_label(s, results), *("" if m is None else f"{m:.3f}" for m in means)] for s, means in lines]
    )


def comparison_table(results: Results) -> str:
    """fieldpack minus the best peer of each set and budget, paired over queries; * where the 95 % CI leaves 0 out."""
    ours = [s for s, family in results["systems"].items() if family == OURS]
    places: dict[tuple[str, str], dict[str, Cell]] = {}
    for c in results["cells"]:
        if "ahead" in c:
            places.setdefault((c["set"], c["budget"]), {})[c["system"]] = c
    if not places:
        return "No fieldpack system in this run."
    kept = {(c["set"], c["budget"], c["system"]): c.get("evidence", 0.0) for c in results["cells"]}
    lines = []
    for (name, budget), cells in places.items():
        peer = next(iter(cells.values()))["against"]
        gaps = [_gap_between(c["ahead"], c["ahead_ci"]) if (c := cells.get(s)) else "" for s in ours]
        lines.append([name, budget, f"{peer} {kept[name, budget, peer]:.3f}", *gaps])
    verdicts = [_verdict([cells[s] for cells in places.values() if s in cells]) for s in ours]
    lines.append(["**ahead, level, behind**", "", "", *verdicts])
    return markdown(["set", "budget", "best peer", *ours], lines)


def _gap(difference: float, interval: Sequence[float]) -> str:
    return f"{difference:+.3f}{'*' if interval[0] > 0 or interval[1] < 0 else ''}"


def _gap_between(difference: float, interval: Sequence[float]) -> str:
    """The same with the interval itself."""
    return f"{_gap(difference, interval)} [{interval[0]:+.3f}, {interval[1]:+.3f}]"


def _verdict(cells: Sequence[Cell]) -> str:
    ahead, worse = sum(c["ahead_ci"][0] > 0 for c in cells), sum(c["ahead_ci"][1] < 0 for c in cells)
    return f"{ahead}, {len(cells) - ahead - worse}, {worse}"


def ablation_table(results: Results) -> str:
    """Evidence of other fieldpack rows minus the default's, mean over the budgets; * where the 95 % CI leaves 0 out."""
    gaps = {(r["system"], r["set"]): r for r in results["against_default"]}
    sets = [name for name in results["sets"] if any(s == name for _, s in gaps)]
    lines = []
    for system in dict.fromkeys(s for s, _ in gaps):
        line = [system]
        for name in sets:
            r = gaps.get((system, name))
            line.append("" if r is None else _gap(r["difference"], r["ci"]))
        lines.append(line)
    return markdown(["system", *sets], lines)


def cost_table(results: Results) -> str:
    """Overruns as the libraries render, share of the budget used, and median time without and with embedding."""
    lines = []
    for system in results["systems"]:
        cells = [c for c in results["cells"] if c["system"] == system and c["queries"]]
        if not cells:
            continue
        queries = sum(c["queries"] for c in cells)
        over, rendered = sum(c["over"] for c in cells), sum(c["rendered_over"] for c in cells)
        used = sum(c["used"] * c["queries"] for c in cells) / queries
        times = sorted((c["ms"], c["ms"] + embedding_ms(c, results)) for c in cells)
        bare, whole = times[len(times) // 2][0], sorted(t for _, t in times)[len(times) // 2]
        errors = sum(c.get("errors", 0) for c in cells)
        lines.append(
            [
                _label(system, results),
                f"{over} of {queries}",
                f"{rendered} of {queries}",
                f"{used:.2f}",
                f"{bare:.1f}",
                f"{whole:.0f}" if whole >= 100 else f"{whole:.1f}",
                str(errors),
            ]
        )
    head = ["system", "over the budget", "over as rendered", "budget used", "ms", "ms with embedding", "errors"]
    return markdown(head, lines)


def embedding_ms(cell: Cell, results: Results) -> float:
    """Milliseconds of embedding a system's texts with no cache, at the rate measured on the set."""
    rate = results["sets"][cell["set"]].get("embedding_ms_per_1000_chars", 0.0)
    return float(rate) * float(cell["embedded_chars"]) / 1000


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are aligned right."""
    rule = ["---", *("--:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines))


def insert(page: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- NAME -->` and `<!-- /NAME -->` in a page."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    old = page.read_text("utf-8")
    if begin not in old or end not in old:
        raise InputError(f"{page.name} has no markers {begin} and {end}; add them where the table belongs")
    before, rest = old.split(begin, 1)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{rest.split(end, 1)[1]}", "utf-8")


def _order(results: Results, name: str) -> list[str]:
    """fieldpack first, then the peers by falling mean evidence, the oracle last."""
    mean: dict[str, list[float]] = {}
    for c in results["cells"]:
        if c["set"] == name and "evidence" in c:
            mean.setdefault(c["system"], []).append(c["evidence"])
    rank = {OURS: 0, CEILING: 2}
    systems = results["systems"]
    return sorted(mean, key=lambda s: (rank.get(systems[s], 1), -sum(mean[s]) / len(mean[s])))


def _label(system: str, results: Results) -> str:
    return f"**{system}**" if results["systems"][system] == OURS else system


def _figure(cell: Cell | None, measure: str, with_interval: bool = False) -> str:
    if cell is None or measure not in cell:
        return ""
    text = f"{cell[measure]:.3f}"
    if with_interval and f"{measure}_ci" in cell:
        low, high = cell[f"{measure}_ci"]
        text += f" [{low:.2f}, {high:.2f}]"
    return text


def _setup(results: Results) -> str:
    m = results["machine"]
    packages = ", ".join(f"{k} {v}" for k, v in results["versions"].items())
    return (
        f"Vectors: `{results['embedder']}`; counts: `{results['encoding']}`; {m['system']} {m['processor']}, "
        f"{m['cores']} cores, Python {m['python']}; {packages}."
    )
