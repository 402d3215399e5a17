/* ---- one passage in numbers: facts, words of the query, parts of the score as bars ----
   The report and the page of the service draw it with this. Columns hold a number for each passage; i is the passage. */
const twoDigits = (p) => (p < 1e-4 ? "<0.0001" : p > 0.99 ? ">0.99" : p.toPrecision(2));
const inNumbers = (() => {
  const put = (tag, cls, text) => {
    const e = document.createElement(tag);
    if (cls) e.className = cls;
    if (text !== undefined) e.textContent = text;
    return e;
  };
  const title = (text) => put("div", "small", text);
  /* rows: [name, value, meaning]; measures: {name: meaning}. */
  function facts(rows, measures) {
    const dl = put("dl", "facts");
    for (const [name, value, help] of rows) {
      const box = put("div"), dt = put("dt", "", name);
      dt.title = help || measures[name] || "";
      box.append(dt, put("dd", "", value));
      dl.append(box);
    }
    return dl;
  }
  /* words: [{word, best}], best being the match of the word in each passage. */
  function words(list, i) {
    const ul = put("ul", "words-met");
    for (const w of list) {
      const b = w.best[i];
      ul.append(put("li", b > 0.999 ? "exact" : b > 0.6 ? "near" : "", w.word + " " + b.toFixed(2)));
    }
    return list.length ? [title("Words of the query"), ul] : [];
  }
  /* A bar starts at zero and is as long as its number: of 1, or where numbers are larger of a round number above all. */
  const most = (values) => { let m = 1; for (const v of values) m = Math.max(m, Math.ceil(Math.abs(v))); return m; };
  /* parts: [{name, label, help, values}]. */
  function parts(list, i) {
    const grid = put("div", "parts");
    for (const p of list) {
      p.most = p.most || most(p.values);
      const track = put("span", "track"), fill = put("i"), name = put("span", "label-text", p.label), v = p.values[i];
      name.title = p.name + ": " + p.help;
      fill.style.width = (Math.min(Math.abs(v) / p.most, 1) * 100).toFixed(1) + "%";
      if (v < 0) fill.className = "minus";
      track.append(fill);
      track.title = "the bar is the number, of " + p.most + (v < 0 ? "; red is below zero" : "");
      grid.append(name, track, put("span", "value", v.toFixed(2) + (p.most > 1 ? " of " + p.most : "")));
    }
    return list.length ? [title("Score parts"), grid] : [];
  }
  return { facts, words, parts, title };
})();
