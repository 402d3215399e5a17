(() => {
  const all = (q) => [...document.querySelectorAll(q)], pick = (q) => document.querySelector(q), seen = { lit: [], why: [] };
  const lit = () => all(".s.k").map((s) => Number(s.dataset.r));
  const slide = (v) => { pick("#slider").value = v; pick("#slider").dispatchEvent(new Event("input")); seen.lit.push(lit()); };
  const key = (e, k) => e.dispatchEvent(new KeyboardEvent("keydown", { key: k, bubbles: true }));
  seen.lit.push(lit());
  for (let v = 0; v <= Number(pick("#slider").max); v++) slide(v);
  pick("#back").click();
  seen.lit.push(lit());
  pick("#view").value = "all";
  pick("#view").dispatchEvent(new Event("change"));
  for (const s of all(".s").slice(0, 12)) { s.click(); seen.why.push(pick("#detail .reason").textContent); }
  all("details").forEach((d) => { d.open = true; });
  key(document, "Escape");
  seen.closed = pick("#detail").hidden;
  const at = () => Number(document.activeElement.dataset.r);
  all(".s")[0].focus();
  seen.moved = [at(), ...["ArrowRight", "ArrowDown", "ArrowLeft"].map((k) => { key(document.activeElement, k); return at(); })];
  all(".p").slice(0, 20).forEach((p) => p.dispatchEvent(new MouseEvent("click")));
  key(pick("#matrix"), "ArrowRight");
  key(pick("#matrix"), "Enter");
  seen.matrix = pick("#readout").textContent.includes("between");
  pick("#theme").click();
  pick("#view").value = "kept";
  pick("#view").dispatchEvent(new Event("change"));
  seen.hidden = all(".s").filter((s) => s.offsetParent === null).length;
  document.documentElement.dataset.seen = JSON.stringify(seen);
})();
