"use strict";
/* ---- the facts of the page; where they are many, most of them stand in a compressed block ---- */
const $ = (id) => document.getElementById(id);
const D = JSON.parse($("data").textContent);
if ($("block")) await unpack();
async function unpack() {
  await new Promise((done) => setTimeout(done, 20)); // what the page has as HTML is painted first
  const raw = atob($("block").textContent), packed = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) packed[i] = raw.charCodeAt(i);
  $("block").remove();
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const bytes = await new Response(stream).arrayBuffer();
  const types = { int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array };
  const numbers = ([type, first, last, divisor]) => {
    const whole = new types[type](bytes, first, (last - first) / types[type].BYTES_PER_ELEMENT);
    if (divisor === 1) return whole;
    const out = new Float32Array(whole.length);
    for (let i = 0; i < out.length; i++) out[i] = whole[i] / divisor;
    return out;
  };
  const texts = ([, first, last, lengths]) => {
    const all = new TextDecoder("utf-8", { ignoreBOM: true }).decode(new Uint8Array(bytes, first, last - first)), ends = numbers(lengths);
    const start = (i) => (i ? ends[i - 1] : 0);
    return { length: ends.length, at: (i) => all.slice(start(i), ends[i]), size: (i) => ends[i] - start(i) };
  };
  const read = (v) => {
    if (!v || typeof v !== "object") return v;
    if (v.$) return v.$[0] === "text" ? texts(v.$) : numbers(v.$);
    for (const k in v) v[k] = read(v[k]);
    return v;
  };
  for (const part of ["listed", "columns", "query"]) D[part] = read(D[part]);
}
