"use strict";
// The page of a fieldpack service. Text of documents reaches the page through textContent alone.

const $ = (id) => document.getElementById(id);
const MANY = 120; // passages from which only what is kept, and what stands around it, is shown at first
const MOST_SHOWN = 8000; // passages drawn; more would make the page slow
const EXAMPLE = [
  ["tides.md", "# Tides\n\nTides are the rise and fall of the sea. They are caused by the gravity of the Moon and, to a lesser extent, of the Sun. The Earth's rotation carries each coast through the bulges that this gravity raises.\n\n## Spring and neap\n\nAt new and full moon the Sun and the Moon pull along one line, and the tides are highest: these are spring tides. At the quarters they pull at right angles, and the tides are lowest: these are neap tides.\n\n## Harbours\n\nThe shape of a bay can raise a tide far above the mean. In the Bay of Fundy the range reaches 16 metres."],
  ["bread.md", "# Sourdough\n\nA starter is flour and water in which wild yeasts and bacteria live. It is fed every day, and rises and falls like a slow tide.\n\nThe dough rests overnight in the cold. Long resting makes the crumb open and the crust dark."],
  ["moon.txt", "The Moon circles the Earth in 27.3 days, at a mean distance of 384,400 kilometres.\n\nThe same side always faces us, because tides in the Moon's own rock slowed its rotation long ago.\n\nThe friction of the tides lengthens our day by about two milliseconds a century, and the Moon recedes by 3.8 centimetres a year."],
];

const state = { documents: [], number: 0, total: 1000, shown: "", result: null, spans: [], facts: [], chosen: -1, map: "", dots: null, numbers: null, other: null };
let timer = 0, running = null, turn = 0;

function make(tag, text, kind) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  return node;
}

function well(text) { return text.toWellFormed ? text.toWellFormed() : text; }

// ---- documents ----

function add(name, text) {
  if (!text.trim()) return;
  const used = new Set(state.documents.map((d) => d.id));
  let id = name.slice(0, 300) || "text " + ++state.number;
  for (let k = 2; used.has(id); k++) id = name + " (" + k + ")";
  state.documents.push({ id: well(id), text: well(text) });
  listed();
}

function listed() {
  const list = $("list");
  list.replaceChildren(...state.documents.map((d) => {
    const item = make("li"), remove = make("button", "×");
    remove.type = "button";
    remove.setAttribute("aria-label", "Remove " + d.id);
    remove.addEventListener("click", () => {
      state.documents = state.documents.filter((other) => other !== d);
      listed();
    });
    item.append(make("span", d.id), remove);
    return item;
  }));
  soon(0);
}

async function read(files) {
  const refused = [];
  for (const file of files) {
    try {
      const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
      if (text.includes("\0")) throw new Error("binary");
      add(file.webkitRelativePath || file.name, text);
    } catch { refused.push(file.name); }
  }
  if (refused.length) complain("Not text in UTF-8, so not added: " + refused.join(", "));
}

// ---- asking ----

function settings() {
  const query = well($("query").value.trim());
  const asked = {
    ...(query ? { query } : {}), documents: state.documents, budget: Math.max(1, Math.round(+$("budget").value) || 1),
    model: $("model").value, encoding: $("encoding").value, unit: $("unit").value, order: $("order").value,
    cite: $("cite").checked, min_relevance: Math.min(1, Math.max(0, +$("least").value || 0)),
  };
  return asked;
}

function soon(delay = 180) {
  clearTimeout(timer);
  timer = setTimeout(ask, delay);
}

async function ask() {
  const asked = settings();
  if (running) running.abort();
  if (!asked.documents.length) return clear("Add documents and a question.");
  running = new AbortController();
  const mine = ++turn, view = JSON.stringify([asked.query, asked.model, asked.unit, asked.documents.map((d) => [d.id, d.text.length])]);
  document.body.classList.add("busy");
  try {
    const answer = await post({ ...asked, map: view !== state.map }, running.signal);
    const other = versus(asked), second = other ? await post(other, running.signal) : null;
    if (mine !== turn) return;
    state.other = second;
    if (view !== state.map) { state.map = view; state.numbers = answer.numbers; drawField(answer.map); }
    show(answer, asked.documents);
  } catch (error) {
    if (mine === turn && error.name !== "AbortError") complain(error.message);
  } finally {
    if (mine === turn) document.body.classList.remove("busy");
  }
}

// The same request in the other way that it is compared with; null for none.
function versus(asked) {
  const { query, ...rest } = asked, kind = $("other").value;
  if (kind === "none") return query ? rest : null;
  return kind ? { ...asked, budget: Math.max(1, Math.round(asked.budget * (kind === "half" ? 0.5 : 2))) } : null;
}

async function post(asked, signal, again = 2) {
  const headers = { "content-type": "application/json" };
  if ($("key").value) headers.authorization = "Bearer " + $("key").value;
  let answer;
  try {
    answer = await fetch("/v1/pack", { method: "POST", headers, signal, body: JSON.stringify(asked) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The service does not answer. Is it still running?");
  }
  const wait = +answer.headers.get("retry-after");
  if (wait && again && answer.status !== 413) {
    await new Promise((done) => setTimeout(done, Math.min(wait, 5) * 1000));
    return signal.aborted ? Promise.reject(new DOMException("", "AbortError")) : post(asked, signal, again - 1);
  }
  const body = await answer.json().catch(() => null);
  if (answer.ok && body) return body;
  if (answer.status === 401) { document.querySelector("form details").open = true; $("key").focus(); }
  throw new Error(body && body.detail ? body.title + ": " + body.detail : "The service answered " + answer.status + ".");
}

// ---- showing ----

function complain(message) {
  $("error").textContent = message;
  $("error").hidden = !message;
}

function clear(message) {
  turn++;
  Object.assign(state, { shown: "", result: null, spans: [], facts: [], chosen: -1, map: "", dots: null, numbers: null, other: null });
  $("why").replaceChildren(make("p", "Point at a passage, or go through them with the arrow keys."));
  $("field").hidden = true;
  complain("");
  document.body.classList.remove("has", "busy");
  $("documents").replaceChildren();
  $("steps").hidden = true;
  $("notes").hidden = true;
  $("empty").hidden = false;
  $("facts").textContent = message;
  $("fill").style.width = "0";
  $("text").textContent = "";
  $("copy").disabled = true;
}

// Offsets of the service count code points, those of JavaScript UTF-16 units.
function units(text) {
  if (!/[\ud800-\udbff]/.test(text)) return (at) => at;
  const starts = [0];
  for (const point of text) starts.push(starts[starts.length - 1] + point.length);
  return (at) => starts[at];
}

function show(result, documents) {
  complain("");
  document.body.classList.add("has");
  state.result = result;
  const number = new Map(documents.map((d, i) => [d.id, i]));
  const facts = [...result.kept.map((s) => ({ ...s, kept: true })), ...result.dropped.map((s) => ({ ...s, kept: false }))];
  facts.sort((a, b) => number.get(a.doc_id) - number.get(b.doc_id) || a.start - b.start);
  state.facts = facts;
  const shape = JSON.stringify([documents.map((d) => [d.id, d.text.length]), facts.map((s) => [s.start, s.end])]);
  if (shape !== state.shown) {
    draw(facts, documents);
    state.shown = shape;
    $("shown").value = facts.length > MANY ? "near" : "all";
  }
  const there = keptThere(facts);
  document.querySelector(".versus").hidden = !there;
  state.spans.forEach((span, i) => {
    const kept = facts[i].kept, also = there && there[i];
    const kind = kept ? (there && !also ? "lit new" : "lit") : also ? "gone" : "dim";
    span.className = "passage " + kind + (i === state.chosen ? " chosen" : "") + (coded(span.textContent) ? " code" : /^#{1,6} .*$/.test(span.textContent) ? " h" : "");
    headings(span);
    span.setAttribute("aria-label", (kept ? "Kept: " : also ? "Kept by the other: " : "Dropped: ") + span.textContent);
  });
  lightField();
  summary(result, facts);
  near();
  if (state.chosen >= 0 && state.chosen < facts.length) explain(state.chosen);
}

// For each passage whether the other pack keeps at least half of it; null without one.
function keptThere(facts) {
  if (!state.other) return null;
  const kept = new Map();
  for (const k of state.other.kept) { if (!kept.has(k.doc_id)) kept.set(k.doc_id, []); kept.get(k.doc_id).push(k); }
  return facts.map((s) => {
    let shared = 0;
    for (const k of kept.get(s.doc_id) || []) shared += Math.max(0, Math.min(k.end, s.end) - Math.max(k.start, s.start));
    return 2 * shared >= s.end - s.start;
  });
}

// ---- the map of the field, drawn as in the report ----

function drawField(map) {
  $("field").hidden = !map;
  state.dots = null;
  if (!map) return;
  $("map").setAttribute("viewBox", "0 0 " + map.width + " " + map.height);
  $("map-about").textContent = map.about;
  state.dots = [...drawMap($("map"), map)].map(([g, dot]) => ({ dot, range: map.ranges[g] }));
  for (const { dot, range } of state.dots) dot.addEventListener("click", () => {
    const inside = within(range), to = inside.find((i) => state.facts[i].kept) ?? inside[0];
    if (to !== undefined) go(to);
  });
}

function within([id, start, end]) {
  const out = [];
  state.facts.forEach((s, i) => { if (s.doc_id === id && s.start >= start && s.end <= end && state.spans[i]) out.push(i); });
  return out;
}

function lightField() {
  const kept = new Map();
  state.facts.forEach((s) => { if (s.kept) { if (!kept.has(s.doc_id)) kept.set(s.doc_id, []); kept.get(s.doc_id).push(s); } });
  for (const { dot, range: [id, start, end] } of state.dots || []) {
    dot.classList.toggle("k", (kept.get(id) || []).some((s) => s.start < end && s.end > start));
  }
}

function draw(facts, documents) {
  $("empty").hidden = true;
  state.spans = [];
  state.chosen = -1;
  const shown = facts.slice(0, MOST_SHOWN), view = document.createDocumentFragment();
  for (const d of documents) {
    const mine = shown.filter((s) => s.doc_id === d.id), at = units(d.text), body = make("div", undefined, "document");
    let end = 0;
    for (const s of mine) {
      if (at(s.start) > end) body.append(make("span", d.text.slice(end, at(s.start)), "w"));
      const span = make("span", d.text.slice(at(s.start), at(s.end)), "passage");
      span.tabIndex = state.spans.length ? -1 : 0;
      span.setAttribute("role", "button");
      span.dataset.index = state.spans.length;
      state.spans.push(span);
      body.append(span);
      end = at(s.end);
    }
    if (shown.length === facts.length) body.append(d.text.slice(end));
    const box = make("details", undefined, "doc"), head = make("summary");
    head.append(make("span", d.id, "name"), make("span", "", "count"), make("span", undefined, "strip"));
    box.append(head, body);
    box.addEventListener("toggle", () => fold(box));
    view.append(box);
  }
  if (shown.length < facts.length) view.append(make("p", (facts.length - shown.length) + " further passages are not drawn."));
  $("documents").replaceChildren(view);
}

// Code is shown as code: lines that begin with white space and end in its marks, or a fence.
function coded(text) { return text.startsWith("```") || (text.match(/^(\t| {2,}).*$|[{};]$|\)\s*[:{]$/gm) || []).length > 1; }

// What stands near kept text, where in each document it is, and which documents are open.
function near() {
  const boxes = [...document.querySelectorAll(".doc")], spans = state.spans;
  $("documents").className = $("shown").value;
  for (const box of boxes) {
    const mine = [...box.querySelectorAll(".passage")], kept = mine.filter((s) => s.classList.contains("lit")).length;
    let last = -9;
    const far = mine.map((s, n) => { if (!s.classList.contains("dim")) last = n; return n - last > 2; });
    last = mine.length + 9;
    for (let n = mine.length - 1; n >= 0; n--) { if (!mine[n].classList.contains("dim")) last = n; if (last - n <= 2) far[n] = false; }
    mine.forEach((s, n) => { s.classList.toggle("far", far[n]); s.classList.toggle("first", far[n] && (n === 0 || !far[n - 1])); });
    const some = mine.some((s) => !s.classList.contains("dim"));
    box.classList.toggle("none", !some);
    box.open = some || spans.length <= MANY;
    box.querySelector(".count").textContent = kept + " of " + mine.length + " kept";
    strip(box.querySelector(".strip"), mine);
    fold(box);
  }
  let height = 0; // never taller than a few screens: what follows stays closed until somebody opens it
  for (const box of boxes) {
    if (spans.length > MANY && height > 3 * innerHeight) box.open = false;
    height += box.offsetHeight;
  }
  place();
}

function strip(line, mine) {
  const sizes = mine.map((s) => s.textContent.length), whole = Math.max(1, sizes.reduce((a, b) => a + b, 0)), stops = [];
  let at = 0;
  mine.forEach((s, n) => {
    const from = 100 * at / whole, to = 100 * (at += sizes[n]) / whole;
    if (s.classList.contains("lit")) stops.push("transparent " + from + "%", "var(--lit-edge) " + from + "% " + to + "%", "transparent " + to + "%");
  });
  line.style.backgroundImage = stops.length ? "linear-gradient(90deg," + stops.join(",") + ")" : "none";
}

function fold(box) {
  const body = box.querySelector(".document");
  if (!box.open || body.dataset.whole) return;
  body.classList.remove("folded");
  const old = box.querySelector(".unfold");
  if (old) old.remove();
  if (body.scrollHeight <= Math.max(416, innerHeight * 0.75) * 1.3) return;
  const button = make("button", "Show the rest of this document ▾", "unfold");
  button.type = "button";
  button.addEventListener("click", () => unfold(body));
  body.classList.add("folded");
  box.append(button);
}

function unfold(body) {
  body.dataset.whole = "yes";
  body.classList.remove("folded");
  const button = body.parentNode.querySelector(".unfold");
  if (button) button.remove();
}

function stops() { return state.spans.map((s, i) => i).filter((i) => state.facts[i].kept && !(state.facts[i - 1] || {}).kept); }

function place() {
  const all = stops(), n = all.filter((i) => i <= state.chosen).length;
  $("steps").hidden = !all.length;
  $("place").textContent = (n ? "place " + n + " of " : "") + all.length + (n || all.length === 1 ? "" : " places");
}

function step(by) {
  const all = stops();
  if (!all.length) return;
  const next = by > 0 ? all.find((i) => i > state.chosen) : all.findLast((i) => i < state.chosen);
  go(next ?? all[by > 0 ? 0 : all.length - 1]);
  place();
}

function go(to) {
  const span = state.spans[to], body = span.closest(".document");
  body.parentNode.open = true;
  if (body.classList.contains("folded") && span.getBoundingClientRect().bottom > body.getBoundingClientRect().bottom - 20) unfold(body);
  explain(to);
  span.scrollIntoView({ block: "center" });
}

function summary(result, facts) {
  state.total = Math.max(10, facts.reduce((sum, s) => sum + s.tokens, 0));
  placeSlider();
  const ms = result.timings_ms.total;
  $("facts").textContent = result.tokens.toLocaleString("en") + " of " + result.budget.toLocaleString("en") + " tokens; " +
    result.kept.length + " of " + facts.length + " passages kept; " + (state.other ? "the other keeps " + state.other.kept.length + " in " + state.other.tokens.toLocaleString("en") + "; " : "") + (ms < 10 ? ms.toFixed(1) : Math.round(ms)) + " ms";
  $("fill").style.width = Math.min(100, 100 * result.tokens / result.budget) + "%";
  $("notes").replaceChildren(...result.notes.map((note) => make("li", note)));
  $("notes").hidden = !result.notes.length;
  $("text").textContent = result.text;
  $("copy").disabled = !result.text;
}

function explain(index) {
  if (state.chosen >= 0 && state.spans[state.chosen]) {
    state.spans[state.chosen].classList.remove("chosen");
    state.spans[state.chosen].tabIndex = -1;
  }
  state.chosen = index;
  const s = state.facts[index], span = state.spans[index];
  if (!span) return;
  span.classList.add("chosen");
  span.tabIndex = 0;
  for (const { dot, range: [id, from, to] } of state.dots || []) dot.classList.toggle("on", id === s.doc_id && s.start >= from && s.end <= to);
  $("why").replaceChildren(...reasons(s, index));
}

// One passage in numbers, as in the report: what became of it, why, and what its score is made of.
function reasons(s, index) {
  const numbers = state.numbers, [first, ...rest] = s.reason.split("; "), said = /^relevance/.test(first) ? rest : [first, ...rest];
  const out = [make("div", s.kept ? "Kept" : "Dropped", "state " + (s.kept ? "in" : "out")), make("div", s.doc_id + ":" + s.start + "–" + s.end, "where")];
  if (said.length) out.push(make("p", said.join("; "), "reason"));
  const facts = [[$("query").value.trim() ? "relevance" : "salience", twoDigits(s.score)], ["tokens", s.tokens.toLocaleString("en")]];
  if (!numbers || index >= numbers.columns.density.length) return [...out, inNumbers.facts(facts, numbers ? numbers.measures : {})];
  const c = numbers.columns, basin = c.basin[index];
  facts.push(["bits per token", c.density[index].toFixed(1)]);
  if (c.unique) facts.push(["unique", c.unique[index].toFixed(2)]);
  facts.push(["resonance", c.resonance[index].toFixed(2)], ["attraction", c.attraction[index].toFixed(2)]);
  const about = make("div", "Basin ", "about");
  about.append(make("span", basin < 0 ? "–" : String(basin + 1), "chip " + (basin < 0 ? "b-none" : "b" + (basin % 12))), " " + (basin < 0 ? "none" : numbers.names[basin] || ""));
  return [...out, inNumbers.facts(facts, numbers.measures), about, ...inNumbers.words(numbers.words, index), ...inNumbers.parts(numbers.parts, index)];
}

// ---- the slider: finer where budgets are small ----

const toBudget = (place) => Math.max(1, Math.round(Math.exp(Math.log(5) + place / 1000 * (Math.log(Math.max(state.total, 10)) - Math.log(5)))));
function placeSlider() {
  if (document.activeElement === $("slider")) return;
  const span = Math.log(Math.max(state.total, 10)) - Math.log(5);
  $("slider").value = Math.round(1000 * (Math.log(Math.max(5, +$("budget").value || 5)) - Math.log(5)) / span);
  $("slider").setAttribute("aria-valuetext", $("budget").value + " tokens");
}

// ---- events ----

function example() {
  state.documents = [];
  $("query").value ||= "What causes tides?";
  $("budget").value = 90;
  for (const [name, text] of EXAMPLE) add(name, text);
}

function pasted() {
  add("text " + ++state.number, $("paste").value);
  $("paste").value = "";
}

function keys(event) {
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  const last = state.spans.length - 1;
  const now = +event.target.dataset.index;
  const to = event.key === "Home" ? 0 : event.key === "End" ? last : step ? now + step : -1;
  if (Number.isNaN(now) || to < 0 || to > last) return;
  event.preventDefault();
  let open = to;
  while (state.spans[open] && state.spans[open].offsetParent === null) open += event.key === "End" ? -1 : step || 1;
  if (state.spans[open]) state.spans[open].focus();
}

function listen() {
  $("ask").addEventListener("submit", (event) => { event.preventDefault(); soon(0); });
  $("query").addEventListener("input", () => soon(250));
  $("slider").addEventListener("input", () => {
    $("budget").value = toBudget(+$("slider").value);
    $("slider").setAttribute("aria-valuetext", $("budget").value + " tokens");
    soon(60);
  });
  $("budget").addEventListener("input", () => { placeSlider(); soon(); });
  for (const id of ["model", "encoding", "unit", "order", "least", "cite", "other", "key"]) $(id).addEventListener("change", () => soon(0));
  $("choose").addEventListener("click", () => $("files").click());
  $("files").addEventListener("change", () => { read([...$("files").files]); $("files").value = ""; });
  $("example").addEventListener("click", example);
  $("add").addEventListener("click", pasted);
  $("paste").addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) pasted(); });
  $("copy").addEventListener("click", async () => {
    try { await navigator.clipboard.writeText($("text").textContent); $("copy").textContent = "Copied"; }
    catch { getSelection().selectAllChildren($("text")); $("copy").textContent = "Selected"; }
    setTimeout(() => { $("copy").textContent = "Copy"; }, 1500);
  });
  const view = $("documents");
  for (const kind of ["focusin", "mouseover", "click"]) {
    view.addEventListener(kind, (event) => {
      const at = event.target.closest(".passage");
      if (at) explain(+at.dataset.index);
    });
  }
  view.addEventListener("keydown", keys);
  view.addEventListener("click", (event) => { if (event.target.closest(".passage")) document.body.classList.add("asked"); });
  $("close").addEventListener("click", () => document.body.classList.remove("asked"));
  $("ask").addEventListener("focusin", () => document.body.classList.remove("asked"));
  $("next").addEventListener("click", () => step(1));
  $("before").addEventListener("click", () => step(-1));
  $("shown").addEventListener("change", near);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea")) return;
    if (event.key === "Escape") document.body.classList.remove("asked");
    if (event.key === "n") step(1);
    if (event.key === "p") step(-1);
    if (event.key === "k" && state.result) { $("shown").value = $("shown").value === "only" ? "near" : "only"; near(); }
  });
  addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("over"); });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("over"); });
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("over");
    const text = event.dataTransfer.getData("text/plain");
    if (event.dataTransfer.files.length) read([...event.dataTransfer.files]);
    else if (text) add("text " + ++state.number, text);
  });
}

listen();
const wanted = new URLSearchParams(location.hash.slice(1));
if (wanted.has("q")) $("query").value = wanted.get("q");
if (wanted.has("try")) example();
if (wanted.has("b")) $("budget").value = wanted.get("b");
