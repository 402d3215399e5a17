/* ---- headings: a line of signs under a title, or over it too, is not shown (reStructuredText, Markdown); the text of the
   passage stays what it was. The report and the page of the service use it. ---- */
const RULED = /^(?:([=\-~^"'`#*+.:_<>])\1{2,}[ \t]*\n)?([^\n]*\S[^\n]*)\n(([=\-~^"'`#*+.:_<>])\4{2,})[ \t]*$/gm;
function headings(s) {
  if (s.childElementCount || s.matches(".c, .code, .code > .s, .table > .s")) return;
  const text = s.textContent, out = [];
  let end = 0;
  const piece = (cls, part) => { const e = document.createElement("span"); e.className = cls; e.textContent = part; return e; };
  for (const m of text.matchAll(RULED)) {
    if (m[3].length < m[2].trim().length || /^\s*[|>]/.test(m[2])) continue;
    const at = m.index + m[0].lastIndexOf(m[2] + "\n"), after = at + m[2].length;
    out.push(text.slice(end, m.index), piece("ruled", text.slice(m.index, at)), piece("h", m[2]));
    end = m.index + m[0].length;
    out.push(piece("ruled", text.slice(after, end)));
  }
  if (end) s.replaceChildren(...out.filter((e) => e !== "" && e.textContent !== ""), text.slice(end));
}
