/* ---- tables: rows with bars, tabs or commas become cells; their text stays what it was ---- */
function tableRow(line, mark) {
  const row = make("i", "row"), parts = line.split(mark), bare = parts.filter((p) => p.trim());
  if (bare.length && bare.every((p) => /^\s*:?-+:?\s*$/.test(p))) { row.className = "rule"; row.textContent = line; return row; }
  parts.forEach((part, n) => {
    if (n) row.append(make("i", "bar", mark));
    const edge = mark === "|" && (n === 0 || n === parts.length - 1) && !part.trim();
    if (part || !edge) row.append(make("i", edge ? "bar" : "cell", part));
  });
  return row;
}
function asTable(p) {
  const rows = Array.from(p.querySelectorAll(".s")), lines = rows.flatMap((s) => s.textContent.split("\n")).filter((l) => l.trim());
  if (rows.some((s) => s.childElementCount) || !lines.length) return;
  const even = (mark) => lines.every((l) => l.split(mark).length > 2 && l.split(mark).length === lines[0].split(mark).length);
  const mark = lines.every((l) => l.includes("|")) ? "|" : lines.every((l) => l.includes("\t")) ? "\t" : even(",") && !lines.some((l) => l.includes('"')) ? "," : "";
  if (!mark) return;
  rows.forEach((s) => {
    const parts = s.textContent.split("\n"), out = [];
    parts.forEach((l, n) => { if (n) out.push(make("i", "bar", "\n")); if (l) out.push(l.trim() ? tableRow(l, mark) : make("i", "bar", l)); });
    s.replaceChildren(...out);
  });
  p.classList.add("grid");
  const ruled = p.querySelector(".rule");
  if (ruled && p.querySelector(".row")) p.querySelector(".row").classList.add("head");
}
/* A sentence that ends in the head of a table: the head becomes cells, the sentence stays a sentence. */
function headIn(s) {
  if (s.childElementCount || s.closest(".grid")) return;
  const lines = s.textContent.split("\n"), row = (l) => /^\s*\|.*\|\s*$/.test(l);
  let first = lines.length;
  while (first > 0 && row(lines[first - 1])) first--;
  if (lines.length - first < 2) return;
  const out = make("i", "cells");
  lines.slice(first).forEach((l, n) => { if (n) out.append(make("i", "bar", "\n")); out.append(tableRow(l, "|")); });
  const top = out.querySelector(".row");
  if (top && out.querySelector(".rule")) top.classList.add("head");
  s.replaceChildren(document.createTextNode(lines.slice(0, first).join("\n") + (first ? "\n" : "")), out);
}
/* Rows of one table that are paragraphs of their own share the widths of their columns. */
function align(p) {
  const before = p.previousElementSibling, own = p.querySelector(".row");
  const last = before && (before.classList.contains("grid") || before.querySelector(".s:last-child > .cells")) ? [...before.querySelectorAll(".row")].pop() : null;
  if (!last || !own || last.querySelectorAll(".cell").length !== own.querySelectorAll(".cell").length) return;
  for (const part of [p, before]) (part.querySelector(".cells") || part).classList.add("aligned");
  p.classList.add("goes-on");
}
function tables(paragraphs) {
  for (const p of paragraphs) {
    if (p.classList.contains("table")) asTable(p);
    p.querySelectorAll(".s").forEach((s) => { if (s.textContent.includes("|")) headIn(s); });
  }
  for (const p of paragraphs) if (p.classList.contains("grid")) align(p);
}
