/* ---- the page ---- */
const C = D.columns, Q = D.query;
const dots = D.map ? drawMap($("map"), D.map) : new Map();
const many = (n) => Math.round(n).toLocaleString("en-US");
const colour = (b) => (b < 0 ? "b-none" : "b" + (b % 12));
const groups = new Map();
C.group.forEach((g, i) => { if (!groups.has(g)) groups.set(g, []); groups.get(g).push(i); });
const make = (tag, cls, text) => {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  if (text !== undefined) e.textContent = text;
  return e;
};
const shape = (tag, at) => {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const k in at) e.setAttribute(k, at[k]);
  return e;
};
const base = Math.max(D.packs.findIndex((p) => p.base), 0);
const sets = D.packs.map((p) => new Set(p.rows));
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
let now = base, held = -1, focus = 0, shownNow = -1, found = new Set(), listOfFound = [], foundAt = -1;

/* ---- what is in and what is out, at the budget chosen ---- */
const X = D.compare, theirs = new Set(X ? X.rows : []);
const inside = (i) => D.type === "field" || sets[now].has(i);
const before = (i) => D.type === "field" || (X ? theirs : sets[base]).has(i); // what a passage is compared with
const either = (i) => inside(i) || (X !== null && theirs.has(i));
const shownBy = { near: either, kept: either, differs: (i) => inside(i) !== before(i) };
function paint(s, i) {
  const k = inside(i), was = before(i);
  s.classList.toggle("k", k);
  s.classList.toggle("new", k && !was);
  s.classList.toggle("gone", !k && was);
  s.classList.toggle("found", found.has(i));
  s.setAttribute("aria-description", D.type === "field" ? "" : k ? (X && !was ? "kept by this pack only" : "kept") : X && was ? "kept by the other only" : "dropped");
  if (D.type === "field") s.classList.add(colour(C.basin[i]));
}
function draw() {
  L.draw();
  dots.forEach((c, g) => c.classList.toggle("k", (groups.get(g) || []).some(inside) || D.type === "field"));
  drawView();
  if (D.packs.length) drawBudget();
  if (held >= 0) show(held);
  drawMatrix();
}
const rowsOf = new Map();
C.doc.forEach((d, i) => { if (!rowsOf.has(d)) rowsOf.set(d, []); rowsOf.get(d).push(i); });
/* Of the rows of a document, those that stand further than `reach` from all that are lit. */
function farFrom(rows, lit, reach) {
  let last = -9;
  const far = rows.map((i, n) => { if (lit(i)) last = n; return n - last > reach; });
  last = rows.length + 9;
  for (let n = rows.length - 1; n >= 0; n--) { if (lit(rows[n])) last = n; if (last - n <= reach) far[n] = false; }
  return far;
}
function drawView() {
  const view = $("view") ? $("view").value : "all";
  L.view(view, shownBy[view] || either);
  if ($("only")) $("only").setAttribute("aria-pressed", String(view === "kept"));
  drawPlace();
}
/* From one kept passage to the next. Neighbours that are kept count as one stop. */
let cursor = -1;
function stops() {
  const lit = shownBy[$("view") ? $("view").value : "near"] || either, out = [];
  let last = -9;
  for (let i = 0; i < L.count; i++) if (lit(i)) { if (i !== last + 1 || C.doc[i] !== C.doc[i - 1]) out.push(i); last = i; }
  return out;
}
function drawPlace() {
  if (!$("steps")) return;
  const all = stops(), n = all.filter((i) => i <= cursor).length;
  $("steps").hidden = all.length === 0;
  $("place").textContent = (n ? "place " + n : many(all.length)) + (n ? " of " + many(all.length) : all.length === 1 ? " place" : " places");
}
const narrow = window.matchMedia("(max-width: 900px)");
function step(by) {
  const all = stops();
  if (!all.length) return;
  const next = by > 0 ? all.find((i) => i > cursor) : all.findLast((i) => i < cursor);
  cursor = next ?? all[by > 0 ? 0 : all.length - 1];
  go(cursor);
  drawPlace();
}
function go(i) {
  L.reveal(i);
  if (narrow.matches) { release(); mark(i); } else { held = i; show(i); }
  rove(i);
  L.center(i);
}
function openAtFirst() {
  const all = D.type === "field" ? [] : stops();
  L.begin(all.length ? all[0] : -1);
  if (!all.length) return;
  cursor = all[0];
  L.reveal(cursor);
  const box = L.el(cursor).getBoundingClientRect();
  if (Math.min(box.bottom, box.top + 80) > window.innerHeight - 20) L.center(cursor);
  drawPlace();
}
/* Passages that hold a text. */
function find() {
  const wanted = $("find").value.trim().toLowerCase();
  found = new Set();
  if (wanted) for (let i = 0; i < L.count; i++) if (L.text(i).toLowerCase().includes(wanted)) found.add(i);
  listOfFound = [...found];
  foundAt = -1;
  L.draw();
  if (listOfFound.length) stepFound(1); else $("found").textContent = wanted ? "none" : "";
}
function stepFound(by) {
  const all = listOfFound.length;
  if (!all) return;
  foundAt = (foundAt + by + all) % all;
  $("found").textContent = many(foundAt + 1) + " of " + many(all);
  go(listOfFound[foundAt]);
}
function drawDocument(e) {
  const d = Number(e.dataset.d), all = D.segments[d], rows = rowsOf.get(d) || [];
  const kept = D.packs.length ? D.packs[now].kept[d] || 0 : all, other = X ? X.kept[d] || 0 : 0;
  e.querySelector(".count").textContent = X ? kept + " here, " + other + " there, of " + many(all) : D.packs.length ? kept + " of " + many(all) + " kept" : many(all) + " segments";
  e.classList.toggle("none", kept === 0 && other === 0);
  const strip = e.querySelector(".strip"), first = C.start[rows[0]], last = C.end[rows[rows.length - 1]];
  const stops = [], at = (p) => (((p - first) / Math.max(last - first, 1)) * 100).toFixed(2) + "%";
  let from = null, own = "";
  const paint = (i) => !inside(i) ? (X && before(i) ? "var(--out-edge)" : "") : D.type === "field" ? "var(--" + (C.basin[i] < 0 ? "none" : colour(C.basin[i])) + ")"
    : before(i) ? "var(--lit-edge)" : "var(--in-edge)";
  const flush = (to) => { if (own) stops.push("transparent " + at(from), own + " " + at(from), own + " " + at(to), "transparent " + at(to)); };
  rows.forEach((i, n) => {
    const c = paint(i);
    if (c !== own) { flush(n ? C.end[rows[n - 1]] : first); from = C.start[i]; own = c; }
  });
  flush(last);
  strip.style.backgroundImage = stops.length ? "linear-gradient(90deg," + stops.join(",") + ")" : "none";
}
function drawBudget() {
  const p = D.packs[now], bar = $("bar"), size = Math.max(p.budget, p.tokens, 1);
  bar.replaceChildren(shape("rect", { class: "rest", width: 1000, height: 14 }));
  const rows = [...sets[now]].sort((a, b) => a - b);
  const sum = rows.reduce((s, i) => s + C.tokens[i], 0), scale = (p.tokens / size) * 1000 / Math.max(sum, 1);
  let x = 0;
  rows.forEach((i) => {
    const w = C.tokens[i] * scale, gap = Math.min(1.6, w * 0.2);
    const r = shape("rect", { class: "slice " + colour(C.basin[i]), x: x.toFixed(2), width: Math.max(w - gap, 0.4).toFixed(2), height: 14 });
    r.style.fill = "var(--own)";
    r.dataset.r = i;
    x += w;
    bar.append(r);
  });
  bar.setAttribute("aria-label", many(p.tokens) + " of " + many(p.budget) + " tokens used");
  $("chosen").textContent = many(p.tokens) + " of " + many(p.budget) + " tokens";
  $("slider").setAttribute("aria-valuetext", many(p.budget) + " tokens");
  $("back").hidden = now === base;
  const more = p.rows.filter((i) => !sets[base].has(i)).length, less = D.packs[base].rows.filter((i) => !sets[now].has(i)).length;
  const change = $("change");
  change.replaceChildren();
  if (now === base) change.textContent = D.packs.length > 1 ? "each slice is a kept passage, coloured by basin; move to see what other budgets keep" : "";
  else {
    change.append(make("b", "plus", "+" + more + " in"), ", ", make("b", "minus", "−" + less + " out"));
    change.append(" against " + many(D.packs[base].budget) + "; " + many(p.count) + " segments");
  }
  const stat = { tokens: many(p.tokens), segments: many(p.count) };
  for (const k in stat) if ($("stat-" + k)) $("stat-" + k).textContent = stat[k];
  const label = $("stat-tokens");
  if (label) (label.parentNode.querySelector("dt abbr") || label.parentNode.querySelector("dt")).textContent = "of " + many(p.budget) + " tokens";
}

/* ---- one passage, in numbers ---- */
const pinned = new Set(Q ? Q.pinned : []), filled = new Set(Q ? Q.filled : []);
function show(i) {
  const box = $("detail"), out = [];
  const k = inside(i), close = make("button", "close", "Close");
  close.type = "button";
  close.addEventListener("click", release);
  if (Q) {
    const name = !k ? "Dropped" : pinned.has(i) ? "Pinned" : filled.has(i) && now === base ? "Kept: fills what was left" : "Kept";
    out.push(make("div", "state " + (k ? "in" : "out"), name));
  }
  out.push(make("div", "where", D.docs[C.doc[i]] + ":" + C.start[i] + "–" + C.end[i] + " · " + D.kinds[C.kind[i]]));
  if (Q) {
    const enters = D.packs.findIndex((p, n) => sets[n].has(i));
    const reason = now === base || k === sets[base].has(i) ? Q.reason.at(i)
      : k ? "enters with " + many(D.packs[now].budget) + " tokens; at " + many(D.packs[base].budget) + ": " + Q.reason.at(i)
      : "no room in " + many(D.packs[now].budget) + " tokens" + (enters >= 0 ? "; first kept at " + many(D.packs[enters].budget) : "") + "; at "
        + many(D.packs[base].budget) + ": " + Q.reason.at(i);
    out.push(make("p", "reason", reason));
  }
  const basin = C.basin[i], list = [];
  if (Q) list.push(["relevance", twoDigits(Q.score[i]), "calibrated probability of holding evidence"]);
  list.push(["tokens", many(C.tokens[i])], ["bits per token", C.density[i].toFixed(1)]);
  if (C.unique) list.push(["unique", C.unique[i].toFixed(2), "1 minus the similarity to the most similar other segment"]);
  if (Q) list.push(["gain", Q.gain[i].toFixed(2), "what it adds to the pack, when it was chosen or at the end"]);
  if (Q && Q.link[i] >= 0.05) list.push(["called for", "+" + Q.link[i].toFixed(1), "log odds that links to packed text add"]);
  if (Q && Q.duplicate[i] >= 0.05) list.push(["repeats", "−" + Q.duplicate[i].toFixed(1), "log odds that copies in the pack take away"]);
  list.push(["resonance", C.resonance[i].toFixed(2)], ["attraction", C.attraction[i].toFixed(2)]);
  if (!Q) list.push(["unexplained", C.unexplained[i].toFixed(2), "the part outside the span of the attractors"]);
  if (C.residue[i] >= 0.05) list.push(["residue", C.residue[i].toFixed(2), "how much it says again what earlier turns carry"]);
  out.push(inNumbers.facts(list, D.measures));
  const at = make("div", "about");
  at.append("Basin ", make("span", "chip " + colour(basin), basin < 0 ? "–" : String(basin + 1)), " " + (basin < 0 ? "none" : D.names[basin] || ""));
  out.push(at);
  if (Q) out.push(...inNumbers.words(Q.words, i));
  if (D.packs.length > 1) {
    out.push(inNumbers.title("Kept at budgets of"));
    const row = make("div", "budgets");
    D.packs.forEach((p, n) => {
      const s = make("span", (sets[n].has(i) ? "in" : "") + (n === now ? " now" : ""), p.budget >= 1e4 ? Math.round(p.budget / 1000) + "k" : p.budget >= 1000 ? (p.budget / 1000).toFixed(1) + "k" : p.budget);
      s.title = many(p.budget) + " tokens: " + (sets[n].has(i) ? "kept" : "dropped");
      row.append(s);
    });
    out.push(row);
  }
  if (Q) out.push(...inNumbers.parts(Q.parts, i));
  $("heard").textContent = Q ? (k ? "Kept: " : "Dropped: ") + Q.reason.at(i) : "";
  box.replaceChildren(close, ...out);
  box.hidden = false;
  mark(i);
}
let marked = [];
function mark(i) {
  marked.forEach((e) => e.classList.remove("on"));
  shownNow = i;
  marked = [L.el(i), dots.get(C.group[i]), document.querySelector('#bar [data-r="' + i + '"]')].filter(Boolean);
  marked.forEach((e) => e.classList.add("on"));
}
function hold(i, scroll) {
  held = i;
  show(i);
  if (either(i)) { cursor = i; drawPlace(); }
  if (scroll) { L.reveal(i); mark(i); L.center(i, "smooth"); }
  rove(i);
}
function release() {
  held = -1;
  $("detail").hidden = true;
  marked.forEach((e) => e.classList.remove("on"));
  const now = L.el(shownNow);
  if (now) now.classList.remove("on");
  marked = [];
  shownNow = -1;
}
function rove(i) {
  const was = L.el(focus), now = L.el(i);
  if (was) was.tabIndex = -1;
  focus = i;
  if (now) now.tabIndex = 0;
}
const L = D.listed ? listed() : whole();
const seg = (e) => { const s = e.target.closest && e.target.closest(".s"); return s ? Number(s.dataset.r) : -1; };
const area = $("docs"), hover = window.matchMedia("(hover: hover)").matches;
for (let i = 0; i < L.count && !focus; i++) if (inside(i) && D.packs.length) focus = i;
rove(focus);
area.addEventListener("pointerover", (e) => { const i = seg(e); if (hover && i >= 0 && held < 0) show(i); });
area.addEventListener("click", (e) => { const i = seg(e); if (i >= 0) { if (held === i) release(); else hold(i, false); } });
area.addEventListener("focusin", (e) => { const i = seg(e); if (i >= 0 && e.target.matches(":focus-visible")) { rove(i); show(i); } });
area.addEventListener("keydown", (e) => {
  const own = seg(e), i = own < 0 && e.target === area ? focus : own;
  if (i < 0) return;
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
  if (e.key === "Enter" || e.key === " ") { e.preventDefault(); if (held === i) release(); else hold(i, own < 0); return; }
  let to = step ? i + step : e.key === "Home" ? 0 : e.key === "End" ? L.count - 1 : -1;
  while (to >= 0 && to < L.count && L.gone(to)) to += step || (e.key === "Home" ? 1 : -1);
  if (to < 0 || to >= L.count) return;
  e.preventDefault();
  if (held >= 0) held = to;
  if (!L.el(to)) L.reveal(to);
  rove(to);
  L.el(to).focus();
  show(to);
});
document.addEventListener("keydown", (e) => {
  if (e.key === "Escape") release();
  if (e.ctrlKey || e.metaKey || e.altKey || !$("steps") || (e.target.closest && e.target.closest("input, select, textarea"))) return;
  if (e.key === "n") step(1);
  if (e.key === "p") step(-1);
  if (e.key === "k") onlyKept();
});
function onlyKept() {
  $("view").value = $("view").value === "kept" ? "near" : "kept";
  drawView();
  if (cursor >= 0) { L.reveal(cursor); L.center(cursor); }
}
if ($("steps")) {
  $("next").addEventListener("click", () => step(1));
  $("before").addEventListener("click", () => step(-1));
  $("only").addEventListener("click", onlyKept);
}
document.querySelectorAll(".p").forEach((c) => {
  const rows = groups.get(Number(c.dataset.g)) || [];
  const best = () => rows.find((i) => inside(i) && D.packs.length) ?? rows[0];
  if (!rows.length) { c.classList.add("absent"); return; }
  c.addEventListener("click", () => hold(best(), true));
  c.addEventListener("pointerenter", () => { if (held < 0) { show(best()); } });
});
if ($("bar")) $("bar").addEventListener("click", (e) => { if (e.target.dataset.r) hold(Number(e.target.dataset.r), true); });

/* ---- the resonance matrix ---- */
const M = D.matrix, m = M.groups.length, canvas = $("matrix");
const cells = Uint8Array.from(atob(M.cells), (c) => c.charCodeAt(0));
let cross = [-1, -1];
const side = 14;
let known = new Map(), scheme = null;
function resolved(name) {
  if (scheme !== isDark()) { known = new Map(); scheme = isDark(); }
  if (known.has(name)) return known.get(name);
  const e = make("span");
  e.style.color = "var(" + name + ")";
  document.body.append(e);
  const c = getComputedStyle(e).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  e.remove();
  known.set(name, c);
  return c;
}
function drawMatrix() {
  if (!m) return;
  const ctx = canvas.getContext("2d"), cell = Math.max(2, Math.round(640 / m)), size = m * cell;
  canvas.width = canvas.height = size + side;
  const stops = ["--ramp-0", "--ramp-1", "--ramp-2"].map(resolved), small = new ImageData(m, m);
  for (let i = 0; i < m * m; i++) {
    const v = (cells[i] / 255) * 2, a = stops[v < 1 ? 0 : 1], b = stops[v < 1 ? 1 : 2], t = v < 1 ? v : v - 1;
    for (let k = 0; k < 3; k++) small.data[i * 4 + k] = a[k] + (b[k] - a[k]) * t;
    small.data[i * 4 + 3] = 255;
  }
  const part = document.createElement("canvas");
  part.width = part.height = m;
  part.getContext("2d").putImageData(small, 0, 0);
  ctx.imageSmoothingEnabled = false;
  ctx.drawImage(part, side, side, size, size);
  const own = new Map(), lit = "rgb(" + resolved("--lit-edge") + ")";
  M.groups.forEach((g, i) => {
    const b = M.basin[i], name = b < 0 ? "--none" : "--" + colour(b);
    if (!own.has(name)) own.set(name, "rgb(" + resolved(name) + ")");
    ctx.fillStyle = own.get(name);
    ctx.fillRect(side + i * cell, 0, cell, 6);
    ctx.fillRect(0, side + i * cell, 6, cell);
    if (D.packs.length && (groups.get(g) || []).some(inside)) {
      ctx.fillStyle = lit;
      ctx.fillRect(side + i * cell, 8, cell, 5);
      ctx.fillRect(8, side + i * cell, 5, cell);
    }
  });
  const [r, c] = cross;
  if (r >= 0) {
    ctx.strokeStyle = "rgb(" + resolved("--lit-edge") + ")";
    ctx.lineWidth = 1.5;
    ctx.strokeRect(side + c * cell - 0.5, side, cell + 1, size);
    ctx.strokeRect(side, side + r * cell - 0.5, size, cell + 1);
  }
}
const said = (g) => {
  const rows = groups.get(g);
  return rows ? D.docs[C.doc[rows[0]]] + ": " + L.text(rows[0]).replace(/\s+/g, " ").slice(0, 60) : "a paragraph not shown here";
};
function read(r, c) {
  cross = [Math.min(Math.max(r, 0), m - 1), Math.min(Math.max(c, 0), m - 1)];
  const v = cells[cross[0] * m + cross[1]], exact = M.low + (v / 255) * (M.high - M.low);
  const sign = v === 255 ? "≥ " : v === 0 ? "≤ " : "";
  $("readout").textContent = sign + exact.toFixed(2) + " between “" + said(M.groups[cross[0]]) + "” and “" + said(M.groups[cross[1]]) + "”";
  drawMatrix();
}
const open = (r) => { const rows = groups.get(M.groups[r]); if (rows) hold(rows[0], true); };
if (m) {
  const where = (e) => {
    const b = canvas.getBoundingClientRect(), k = canvas.width / b.width, cell = (canvas.width - side) / m;
    return [Math.floor(((e.clientY - b.top) * k - side) / cell), Math.floor(((e.clientX - b.left) * k - side) / cell)];
  };
  canvas.addEventListener("pointermove", (e) => read(...where(e)));
  canvas.addEventListener("click", (e) => { read(...where(e)); open(cross[0]); });
  canvas.addEventListener("keydown", (e) => {
    const s = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[e.key];
    if (s) { e.preventDefault(); read(cross[0] + s[0], cross[1] + s[1]); }
    if (e.key === "Enter" && cross[0] >= 0) open(cross[0]);
  });
  $("low").textContent = M.low.toFixed(2);
  $("high").textContent = M.high.toFixed(2);
  $("matrix-of").textContent = m < M.of ? m + " of " + many(M.of) + " paragraphs, sampled." : m + " paragraphs.";
}

/* ---- controls ---- */
if (D.packs.length > 1) {
  const slider = $("slider");
  slider.max = D.packs.length - 1;
  slider.value = base;
  slider.addEventListener("input", () => { now = Number(slider.value); draw(); });
  $("back").addEventListener("click", () => { now = base; slider.value = base; draw(); });
}
if (D.packs.length) document.querySelector(".slide").hidden = D.packs.length < 2;
if ($("view")) {
  $("view").parentNode.hidden = false;
  $("view").addEventListener("change", drawView);
}
const theme = $("theme");
function named() { theme.textContent = isDark() ? "Light" : "Dark"; theme.setAttribute("aria-label", "Switch to the " + theme.textContent.toLowerCase() + " theme"); }
theme.hidden = false;
theme.addEventListener("click", () => { document.documentElement.dataset.theme = isDark() ? "light" : "dark"; named(); drawMatrix(); });
dark.addEventListener("change", () => { named(); drawMatrix(); });
named();
const copy = $("copy");
if (copy && navigator.clipboard) {
  copy.hidden = false;
  copy.addEventListener("click", () => navigator.clipboard.writeText($("packed").textContent).then(() => { copy.textContent = "Copied"; }, () => {}));
}
let typed = 0;
$("find").closest("label").hidden = false;
$("find").addEventListener("input", () => { clearTimeout(typed); typed = setTimeout(find, 200); });
$("find").addEventListener("keydown", (e) => { if (e.key === "Enter") stepFound(e.shiftKey ? -1 : 1); });
draw();
openAtFirst();
document.documentElement.dataset.ready = "yes";
