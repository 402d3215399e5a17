/* ---- the passages of a page that has them all as HTML ----
   As `listed` below: el(i) the element of a passage or null, text(i), draw() their colours, view(name, lit) which of them
   are shown, gone(i) whether one is not, reveal(i) makes it stand on the page, center(i) scrolls to it, begin(i) the page as it opens. */
function whole() {
  const segs = Array.from(document.querySelectorAll(".s")), docs = Array.from(document.querySelectorAll(".doc"));
  segs.forEach((s) => { s.setAttribute("role", "button"); s.tabIndex = -1; });
  tables(document.querySelectorAll(".body p"));
  segs.forEach(headings);
  /* Long documents are folded: a body that is taller than the window shows its beginning until somebody opens it. */
  const unfolded = new WeakSet();
  function fold(doc) {
    const body = doc.querySelector(".body");
    if (!doc.open || unfolded.has(body)) return;
    body.classList.remove("folded");
    if (body.scrollHeight <= Math.max(420, window.innerHeight * 0.82) * 1.25) return;
    if (!body.querySelector(".unfold")) {
      const button = make("button", "unfold", "Show the rest of this document ▾");
      button.type = "button";
      button.addEventListener("click", () => unfold(body));
      body.append(button);
    }
    body.classList.add("folded");
  }
  function unfold(body) { unfolded.add(body); body.classList.remove("folded"); body.scrollTop = 0; }
  docs.forEach((d) => d.addEventListener("toggle", () => fold(d)));
  /* A list of thousands of names is cut after eighty, until somebody wants it whole. */
  function listAll() { $("docs").classList.remove("many"); if ($("more-docs")) $("more-docs").remove(); }
  if (docs.length > 120) {
    const more = make("button", "", "List all " + many(docs.length) + " documents");
    more.id = "more-docs";
    more.type = "button";
    more.addEventListener("click", listAll);
    $("docs").classList.add("many");
    $("docs").after(more);
  }
  function view(name, lit) {
    const reach = name === "near" ? 2 : 0;
    $("docs").classList.toggle("some", name !== "all");
    rowsOf.forEach((rows) => {
      const far = farFrom(rows, lit, reach);
      rows.forEach((i, n) => {
        segs[i].classList.toggle("far", far[n]);
        segs[i].classList.toggle("far-first", far[n] && (n === 0 || !far[n - 1]));
      });
    });
    docs.forEach(fold);
  }
  function reveal(i) {
    const d = segs[i].closest("details"), body = segs[i].closest(".body");
    if (d) d.open = true;
    if ($("view") && $("view").value !== "all" && (segs[i].classList.contains("far") || segs[i].closest(".none"))) {
      $("view").value = "all";
      drawView();
    }
    if (d && d.offsetParent === null) listAll();
    if (d && body && !body.classList.contains("folded") && !unfolded.has(body)) fold(d);
    if (body && body.classList.contains("folded") && segs[i].getBoundingClientRect().bottom > body.getBoundingClientRect().bottom - 60) unfold(body);
  }
  function begin(i) {
    let height = 0;
    const first = i < 0 ? null : segs[i].closest("details");
    docs.forEach((d) => { // never taller than a few screens: what follows stays closed until somebody opens it
      if (!d.open) return;
      if (height > 3 * window.innerHeight && d !== first) d.open = false;
      else height += d.getBoundingClientRect().height;
    });
  }
  return {
    count: segs.length, el: (i) => segs[i] || null, text: (i) => segs[i].textContent, view, reveal, begin,
    center: (i, behavior = "auto") => segs[i].scrollIntoView({ block: "center", behavior }),
    draw() { segs.forEach(paint); docs.forEach(drawDocument); },
    gone: (i) => segs[i].offsetParent === null || ($("docs").classList.contains("some") && segs[i].classList.contains("far")),
  };
}
