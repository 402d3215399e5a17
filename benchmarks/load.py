"""A service under load on loopback: many clients at once, mixed sizes: python benchmarks/load.py [--seconds 60]

Starts `fieldpack serve` on a free port (or takes --url), lets --clients ask without a pause, and reports by kind of
request: how many, which statuses, and the times as clients see them. Exit 1 when an answer is anything but what was
asked for, a stated 429 or 503 with its Retry-After, or (for bodies that are too large) 413.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

TEXT = (
    "tide moon sun gravity ocean harbour sailor bread starter flour yeast oven crust budget token passage evidence "
    "query field basin attractor energy residue boundary resonance matrix vector window memory turn session history "
    "compiler parser grammar symbol pointer thread socket packet buffer cache index river valley glacier basalt granite"
)
WORDS = TEXT.split()
MIX = {
    "pack 2 kB": 40,
    "pack 20 kB": 20,
    "pack 200 kB": 3,
    "pack 20 kB, streamed": 5,
    "embed 1": 20,
    "embed 32": 5,
    "plan": 3,
    "field 20 kB": 2,
    "session of 2 turns": 2,
    "too large": 1,
    "not valid": 2,
}
"""How often each kind is asked for, of about a hundred."""


def document(rng: random.Random, size: int) -> str:
    """About `size` characters of sentences in paragraphs."""
    out: list[str] = []
    length = 0
    while length < size:
        sentences = [" ".join(rng.choices(WORDS, k=rng.randint(6, 18))).capitalize() + "." for _ in range(4)]
        out.append(" ".join(sentences))
        length += len(out[-1]) + 2
    return "\n\n".join(out)


def bodies(kind: str, rng: random.Random, most: int) -> list[tuple[str, dict[str, Any] | bytes]]:
    """The requests of one kind: (path, body)."""
    query = " ".join(rng.choices(WORDS, k=5))
    if match := re.match(r"(pack|field) (\d+) kB", kind):
        documents = [document(rng, int(match[2]) * 250) for _ in range(4)]
        if match[1] == "field":
            return [("/v1/field", {"documents": documents})]
        asked = {"query": query, "documents": documents, "budget": rng.choice([100, 500, 2000])}
        return [("/v1/pack", asked | ({"stream": True} if "streamed" in kind else {}))]
    if kind.startswith("embed"):
        return [("/v1/embeddings", {"input": [document(rng, 200) for _ in range(int(kind.split()[1]))]})]
    if kind == "plan":
        return [("/v1/plan", {"window": rng.randint(1000, 200_000), "preset": "pyramid"})]
    if kind == "too large":
        return [("/v1/pack", b'"' + b"x" * (most + 1) + b'"')]
    if kind == "not valid":
        return [("/v1/pack", {"query": query, "documents": ["a"], "budget": -1})]
    turn = ("/v1/sessions/{id}/turn", {"query": query, "budget": 200})
    return [("/v1/sessions", {"documents": [document(rng, 4000)]}), turn, turn]


async def client(base: httpx.AsyncClient, number: int, plan: Plan, seen: dict[str, list[Any]]) -> None:
    rng = random.Random(number)
    while not plan.over(seen):
        kind = rng.choices(list(plan.mix), list(plan.mix.values()))[0]
        session = ""
        for path, body in bodies(kind, rng, plan.most):
            reply = await one(base, path.replace("{id}", session), body)
            status, retry = reply.status, reply.retry
            seen[kind].append((status, reply.seconds, retry))
            if status in (429, 503):
                await asyncio.sleep(min(float(retry or 1), 2.0))
                break
            session = reply.facts.get("id", session)
        if session:
            await base.delete(f"/v1/sessions/{session}")


@dataclass
class Plan:
    """What is asked for, and until when: `end` (monotonic seconds) or `requests`, whichever is first."""

    mix: dict[str, int]
    end: float
    requests: int
    most: int

    def over(self, seen: dict[str, list[Any]]) -> bool:
        return time.monotonic() >= self.end or sum(map(len, seen.values())) >= self.requests


@dataclass(frozen=True)
class Reply:
    """status: the HTTP status, or the name of an error. retry: the Retry-After header."""

    status: int | str
    seconds: float
    facts: dict[str, Any]
    retry: str | None


async def one(base: httpx.AsyncClient, path: str, body: Any) -> Reply:
    start = time.perf_counter()
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        answer = await base.post(path, content=content, headers={"content-type": "application/json"})
    except httpx.HTTPError as error:
        return Reply(type(error).__name__, time.perf_counter() - start, {}, None)
    seconds = time.perf_counter() - start
    status: int | str = answer.status_code
    streamed = answer.headers.get("content-type", "").startswith("text/event-stream")
    if streamed and "event: result" not in answer.text:
        status = "broken stream"
    facts = answer.json() if path == "/v1/sessions" else {}
    return Reply(status, seconds, facts, answer.headers.get("retry-after"))


def wrong(kind: str, status: int | str, retry: str | None) -> bool:
    if status in (429, 503):
        return retry is None
    expected = {"too large": (413,), "not valid": (422,)}.get(kind, (200, 201))
    return status not in expected


def share(values: list[float], q: float) -> float:
    return sorted(values)[min(len(values) - 1, int(q * len(values)))] if values else 0.0


async def memory(base: httpx.AsyncClient) -> float:
    """Megabytes that the service holds."""
    found = re.search(r"^process_resident_memory_bytes (\S+)", (await base.get("/metrics")).text, re.MULTILINE)
    return round(float(found[1]) / 1e6, 1) if found else 0.0


async def run(url: str, clients: int, seconds: float, plan: Plan) -> dict[str, Any]:
    seen: dict[str, list[Any]] = defaultdict(list)
    limits = httpx.Limits(max_connections=clients + 4)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as base:
        megabytes = [await memory(base)]
        plan.end = time.monotonic() + seconds

        async def watch() -> None:
            for part in range(1, 10):
                while time.monotonic() < plan.end - seconds * (1 - part / 10) and not plan.over(seen):
                    await asyncio.sleep(0.1)
                    if sum(map(len, seen.values())) >= plan.requests * part / 10:
                        break
                megabytes.append(await memory(base))

        start = time.monotonic()
        await asyncio.gather(watch(), *(client(base, k, plan, seen) for k in range(clients)))
        took = time.monotonic() - start
        megabytes.append(await memory(base))
    return report(seen, took, megabytes, clients)


def report(seen: dict[str, list[Any]], took: float, megabytes: list[float], clients: int) -> dict[str, Any]:
    rows = {}
    for kind in MIX:
        done = [s for status, s, _ in seen[kind] if status in (200, 201)]
        rows[kind] = {
            "requests": len(seen[kind]),
            "statuses": dict(Counter(str(status) for status, *_ in seen[kind])),
            "wrong": sum(wrong(kind, status, retry) for status, _, retry in seen[kind]),
            "p50_ms": round(1000 * share(done, 0.5), 1),
            "p99_ms": round(1000 * share(done, 0.99), 1),
        }
    every = [s for answers in seen.values() for status, s, _ in answers if status in (200, 201)]
    requests = sum(r["requests"] for r in rows.values())
    return {
        "clients": clients,
        "seconds": round(took, 1),
        "requests": requests,
        "per_second": round(requests / took, 1),
        "refused_429_503": sum(n for r in rows.values() for s, n in r["statuses"].items() if s in ("429", "503")),
        "wrong": sum(r["wrong"] for r in rows.values()),
        "p50_ms": round(1000 * share(every, 0.5), 1),
        "p99_ms": round(1000 * share(every, 0.99), 1),
        "memory_mb": megabytes,
        "processors": os.cpu_count(),
        "kinds": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="600 at most")
    parser.add_argument("--requests", type=int, default=1_000_000, help="stop after so many")
    parser.add_argument("--small", action="store_true", help="small requests only: to see whether memory grows")
    parser.add_argument("--clients", type=int, default=64, help="512 at most")
    parser.add_argument("--waiting", type=int, default=64, help="of the service: fewer than --clients makes it refuse")
    parser.add_argument("--max-body", type=int, default=2_000_000, help="of the service, in bytes")
    parser.add_argument("--url", help="a service that runs already; it has to have --max-body too")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    mix = {k: n for k, n in MIX.items() if not options.small or re.search(r"2 kB|embed 1|plan|not valid", k)}
    plan = Plan(mix, 0.0, options.requests, options.max_body)
    process = None
    if options.url is None:
        command = [sys.executable, "-m", "fieldpack", "serve", "--port", "0", "--waiting", str(options.waiting)]
        environment = {k: v for k, v in os.environ.items() if k != "FIELDPACK_API_KEY"}
        process = subprocess.Popen(
            [*command, "--max-body", str(options.max_body)], stderr=subprocess.PIPE, text=True, env=environment
        )
        assert process.stderr is not None
        said = process.stderr.readline()
        found = re.search(r"http://\S+", said)
        if found is None:
            raise SystemExit(said.strip() or "the service did not start")
        options.url = found[0]
    try:
        figures = asyncio.run(run(options.url, min(options.clients, 512), min(options.seconds, 600), plan))
    finally:
        if process is not None:
            process.terminate()
            process.wait(60)
    text = json.dumps(figures, indent=1)
    if options.json:
        options.json.write_text(text + "\n", "utf-8")
    print(text)
    sys.exit(1 if figures["wrong"] else 0)


if __name__ == "__main__":
    main()
