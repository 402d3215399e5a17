import type { components } from "./fieldpack.d.ts";

type Asked = components["schemas"]["PackIn"];
type Packed = components["schemas"]["PackOut"];
type Problem = components["schemas"]["ProblemOut"];

export async function pack(asked: Asked, url = "http://127.0.0.1:8017"): Promise<Packed> {
  const answer = await fetch(`${url}/v1/pack`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(asked),
  });
  if (!answer.ok) throw new Error(((await answer.json()) as Problem).detail);
  return (await answer.json()) as Packed;
}

const documents = [
  { id: "tides", text: "Tides are caused by the gravity of the Moon.\n\nSpring tides come at full moon." },
  "Sourdough needs a starter. The starter is fed every day.",
];
const packed = await pack({ query: "what causes tides", documents, budget: 20 }, process.argv[2]);
console.log(packed.text);
for (const passage of packed.dropped) console.log(passage.doc_id, passage.start, passage.end, passage.reason);
