/* ---- the map of a field: a point for each paragraph, coloured by its basin, attractors with their names, the queries ----
   The report and the page of the service draw it with this. Answers {number of the paragraph: its point}. */
function drawMap(svg, map) {
  const put = (into, tag, attributes, text) => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const k in attributes) e.setAttribute(k, attributes[k]);
    if (text !== undefined) e.textContent = text;
    into.append(e);
    return e;
  };
  const basin = (k) => (k < 0 ? "b-none" : "b" + (k % 12)), dots = new Map();
  svg.replaceChildren();
  const threads = put(svg, "g", {}), points = put(svg, "g", {}), marks = put(svg, "g", { class: "marks" });
  map.centers.forEach(([x, y], k) => {
    const ends = map.points.filter((p) => p[4] === k).map((p) => "M" + x + " " + y + "L" + p[1] + " " + p[2]);
    put(threads, "path", { class: "thread " + basin(k), d: ends.join("") });
  });
  for (const [g, x, y, r, k, lit] of map.points) {
    dots.set(g, put(points, "circle", { class: "p " + basin(k) + (lit ? " k" : ""), cx: x, cy: y, r, "data-g": g }));
  }
  map.centers.forEach(([x, y, r], k) => {
    const mark = put(marks, "g", { class: "center " + basin(k), transform: "translate(" + x + " " + y + ")" });
    put(mark, "path", { d: "M0 " + -r + "L" + r + " 0L0 " + r + "L" + -r + " 0Z" });
    put(mark, "text", { class: "number", y: 3.8, "text-anchor": "middle" }, String(k + 1));
  });
  for (const [x, y] of map.queries) {
    const mark = put(marks, "g", { class: "query", transform: "translate(" + x + " " + y + ")" });
    put(mark, "circle", { r: 9 });
    put(mark, "path", { d: "M-14 0H14M0 -14V14" });
  }
  for (const [name, x, y, anchor] of map.labels) put(marks, "text", { class: "label", x, y, "text-anchor": anchor }, name);
  return dots;
}
