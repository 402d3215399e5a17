/* ---- the passages of a page that has very many: a list in which only what is in sight is drawn ----
   Its items are heads of documents, paragraphs, and gaps that open. Their heights are estimated, and measured when they
   are drawn; what stands at the top of the list stays where it is. */
const HEAD = 0, PART = 1, GAP = 2, LEFT = 3;
function listed() {
  const W = D.listed, n = C.doc.length, box = $("docs"), area = make("div", "area"), end = make("div");
  const open = new Set(W.open), wanted = new Uint8Array(n), shown = new Uint8Array(n), firstRow = [0];
  D.segments.forEach((count, d) => firstRow.push(firstRow[d] + count));
  let what = [], from = [], to = [], heights = null, tree = null, drawn = new Map(), name = "all", lit = () => true, waiting = false;
  document.querySelectorAll(".fallback").forEach((e) => e.remove());
  box.replaceChildren(area);
  area.append(end);
  box.tabIndex = 0;

  /* items */
  function paragraphs(a, b) {
    let gap = -1;
    for (let i = a, j; i < b; i = j) {
      j = i + 1;
      while (j < b && j - i < 60 && C.group[j] === C.group[i] && W.rows[j] === W.rows[j - 1] + 1) j++;
      const before = i === a ? firstRow[C.doc[a]] : W.rows[i - 1] + 1;
      const seen = shown.subarray(i, j).includes(1);
      if (gap >= 0 && (seen || W.rows[i] > before)) { add(GAP, gap, i); gap = -1; }
      if (W.rows[i] > before && name === "all") add(LEFT, i, W.rows[i] - before);
      if (seen) add(PART, i, j);
      else if (gap < 0) gap = i;
    }
    if (gap >= 0) add(GAP, gap, b);
    const left = firstRow[C.doc[a] + 1] - W.rows[b - 1] - 1;
    if (left && name === "all") add(LEFT, b - 1, left);
  }
  function add(kind, a, b) { what.push(kind); from.push(a); to.push(b); }
  function build() {
    const first = !heights, at = first ? 0 : find(box.scrollTop), row = first ? 0 : from[at], off = first ? 0 : box.scrollTop - sum(at);
    const atHead = first || what[at] === HEAD;
    what = []; from = []; to = [];
    rowsOf.forEach((rows, d) => {
      const a = rows[0], b = a + rows.length;
      const far = name === "all" ? null : farFrom(rows, lit, name === "near" ? 2 : 0);
      for (let i = a; i < b; i++) shown[i] = !far || !far[i - a] || wanted[i] ? 1 : 0;
      if (far && !shown.subarray(a, b).includes(1)) return;
      add(HEAD, a, b);
      if (open.has(d)) paragraphs(a, b);
    });
    heights = new Float64Array(what.length);
    for (let k = 0; k < heights.length; k++) heights[k] = estimate(k);
    tree = new Float64Array(heights.length + 1);
    for (let k = 1; k < tree.length; k++) {
      tree[k] += heights[k - 1];
      if (k + (k & -k) < tree.length) tree[k + (k & -k)] += tree[k];
    }
    drawn.forEach((e) => e.remove());
    drawn = new Map();
    size(0, 0);
    let k = itemOf(row);
    while (atHead && k > 0 && what[k] !== HEAD) k--;
    if (what.length) box.scrollTop = sum(k) + off;
    render();
  }
  function estimate(k) {
    if (what[k] === HEAD) return 48;
    if (what[k] !== PART) return 36;
    const plain = D.kinds[C.kind[from[k]]] !== "code" && D.kinds[C.kind[from[k]]] !== "table";
    const letters = plain ? Math.min(box.clientWidth / 7.4, 84) : 40;
    let text = 0;
    for (let i = from[k]; i < to[k]; i++) if (shown[i]) text += W.texts.size(i);
    return Math.ceil(text / Math.max(letters, 20)) * (plain ? 23.25 : 18.75) + 11;
  }
  /* sums of heights: a binary indexed tree */
  function sum(k) { let s = 0; for (let i = k; i > 0; i -= i & -i) s += tree[i]; return s; }
  function set(k, height) {
    const by = height - heights[k];
    heights[k] = height;
    for (let i = k + 1; i < tree.length; i += i & -i) tree[i] += by;
    return Math.abs(by);
  }
  function find(y) { // the item that stands at y
    let k = 0;
    for (let step = 1 << (31 - Math.clz32(tree.length)); step; step >>= 1) {
      if (k + step < tree.length && tree[k + step] <= y) { k += step; y -= tree[k]; }
    }
    return Math.min(k, Math.max(heights.length - 1, 0));
  }
  function itemOf(row) { // the last item that begins at or before a row
    let low = 0, high = from.length - 1;
    while (low < high) { const mid = (low + high + 1) >> 1; if (from[mid] <= row) low = mid; else high = mid - 1; }
    return low;
  }

  /* drawing */
  function size(a, b) {
    area.style.paddingTop = sum(a) + "px";
    area.style.paddingBottom = Math.max(sum(heights.length) - sum(b), 0) + "px";
  }
  function render() {
    waiting = false;
    for (let round = 0; round < 5 && heights.length; round++) {
      const top = box.scrollTop, anchor = find(top), off = top - sum(anchor);
      const a = find(Math.max(top - 600, 0)), b = find(top + box.clientHeight + 600) + 1;
      drawn.forEach((e, k) => {
        if (k >= a && k < b) return;
        if (e.contains(document.activeElement)) box.focus({ preventScroll: true });
        e.remove();
        drawn.delete(k);
      });
      const fresh = [];
      let after = end;
      for (let k = b - 1; k >= a; k--) {
        if (!drawn.has(k)) { drawn.set(k, item(k)); area.insertBefore(drawn.get(k), after); fresh.push(drawn.get(k)); }
        after = drawn.get(k);
      }
      tables(fresh.reverse().filter((e) => e.tagName === "P"));
      fresh.forEach((e) => e.querySelectorAll(".s").forEach(headings));
      size(a, b);
      let changed = 0, next = end.getBoundingClientRect().top;
      for (let k = b - 1; k >= a; k--) { const y = drawn.get(k).getBoundingClientRect().top; changed += set(k, next - y); next = y; }
      size(a, b);
      if (Math.abs(box.scrollTop - sum(anchor) - off) > 0.5) box.scrollTop = sum(anchor) + off;
      if (changed < 1) break;
    }
  }
  function item(k) {
    const a = from[k], b = to[k];
    if (what[k] === HEAD) return head(C.doc[a]);
    if (what[k] === PART) return paragraph(a, b);
    if (what[k] === LEFT) return make("p", "gap", many(b) + (b === 1 ? " segment" : " segments") + " left out of this page");
    let tokens = 0;
    for (let i = a; i < b; i++) tokens += C.tokens[i];
    const gap = make("button", "more-here", "… " + many(b - a) + (b - a === 1 ? " segment, " : " segments, ") + many(tokens) + " tokens");
    gap.type = "button";
    gap.addEventListener("click", () => { wanted.fill(1, a, b); build(); });
    return gap;
  }
  function head(d) {
    const e = make("details", "doc"), summary = make("summary"), label = make("span", "name"), title = W.titles[d];
    e.dataset.d = d;
    e.open = open.has(d);
    if (title) { const b = make("b", "", title); b.dir = "auto"; label.append(b, " "); }
    label.append(make("code", "", D.docs[d]));
    const strip = make("span", "strip");
    strip.setAttribute("aria-hidden", "true");
    summary.append(label, make("span", "count"), strip);
    summary.addEventListener("click", (event) => { event.preventDefault(); if (!open.delete(d)) open.add(d); build(); });
    e.append(summary);
    drawDocument(e);
    return e;
  }
  function paragraph(a, b) {
    let main = a;
    while (main < b - 1 && D.kinds[C.kind[main]] === "heading") main++;
    const kind = D.kinds[C.kind[main]], p = make("p", kind);
    p.dir = "auto";
    if (kind !== "code" && kind !== "table" && wraps(main, b)) p.classList.add("flow");
    for (let i = a; i < b; i++) {
      if (!shown[i]) { if (i === a || shown[i - 1]) p.append(make("span", "more", " … ")); continue; }
      if (i > a && shown[i - 1]) p.append(make("span", "w", W.between.at(i)));
      p.append(passage(i));
    }
    return p;
  }
  function wraps(a, b) { // line breaks look like a fixed column: the text may flow
    let text = "";
    for (let i = a; i < b && text.length < 4000; i++) text += (i > a ? W.between.at(i) : "") + W.texts.at(i);
    const lines = text.slice(0, 4000).split("\n");
    return lines.length > 1 && lines.slice(0, -1).every((l) => l.length >= 55) && !lines.slice(1).some((l) => /^(\s|[-*+|>#•]|\d+[.)])/.test(l));
  }
  function passage(i) {
    const marks = { heading: " h", code: " c", table: " c" }[D.kinds[C.kind[i]]] || "", text = W.texts.at(i), s = make("span", "s" + marks);
    s.dataset.r = i;
    s.setAttribute("role", "button");
    s.tabIndex = i === focus ? 0 : -1;
    if (W.cut && W.cut[0] === i && W.cut[1] < text.length) s.append(text.slice(0, W.cut[1]), make("span", "after-cut", text.slice(W.cut[1])));
    else s.append(text);
    const more = C.end[i] - C.start[i] - W.most;
    if (more > 0) s.append(make("span", "more", " … " + many(more) + " more characters"));
    paint(s, i);
    if (i === shownNow) s.classList.add("on");
    return s;
  }

  const later = () => { if (!waiting) { waiting = true; requestAnimationFrame(render); } };
  box.addEventListener("scroll", later, { passive: true });
  window.addEventListener("resize", () => build());
  const el = (i) => area.querySelector('.s[data-r="' + i + '"]');
  function reveal(i) {
    const d = C.doc[i], rows = rowsOf.get(d);
    if (!open.has(d) || !shown[i]) {
      open.add(d);
      wanted.fill(1, Math.max(i - 2, rows[0]), Math.min(i + 3, rows[0] + rows.length));
      build();
    }
    for (let round = 0; round < 3; round++) {
      const k = itemOf(i), y = sum(k);
      if (el(i) && y >= box.scrollTop && y + heights[k] <= box.scrollTop + box.clientHeight) break;
      box.scrollTop = y - box.clientHeight / 3;
      render();
    }
  }
  function center(i) {
    const own = el(i).getBoundingClientRect(), frame = box.getBoundingClientRect();
    box.scrollTop += own.top - frame.top - Math.max((frame.height - own.height) / 2, 0);
    render();
    box.scrollIntoView({ block: "nearest" });
  }
  return {
    count: n, el, text: (i) => W.texts.at(i), reveal, center, begin: () => {},
    view(which, by) { name = which; lit = by; build(); },
    draw() { drawn.forEach((e) => { if (e.dataset.d) drawDocument(e); e.querySelectorAll(".s").forEach((s) => paint(s, Number(s.dataset.r))); }); },
    gone: (i) => !shown[i] || !open.has(C.doc[i]),
  };
}
