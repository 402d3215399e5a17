"""Three hosts on one machine: a Ray head and two workers in network namespaces, while packs run over them.

    sudo python benchmarks/cluster_netns.py [--tasks 400] [--out FILE]

Packs tasks in one process, then over Ray from the head's host: undisturbed; then with one worker's network cut off in
the middle and the other's processes killed later. Each has to leave the same bytes as the one process, or end with one
clear error and leave whole shards that the next run takes over. Needs Linux, root, iproute2 and ray. Exit code 1 when a
byte differs, a row is lost, or an error is a traceback.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HOSTS = {"fphead": "10.77.0.1", "fpone": "10.77.0.2", "fptwo": "10.77.0.3"}
BRIDGE, PORT = "fpbridge", 6399
ROOT = Path(__file__).resolve().parents[1]
ENV = {
    **os.environ,
    "PYTHONPATH": str(ROOT / "src"),
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_enable_metrics_collection": "0",
    "OMP_NUM_THREADS": "1",
}


def ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", *arguments], check=check, capture_output=not check)


def inside(host: str, *command: str | Path) -> list[str]:
    return ["ip", "netns", "exec", host, *map(str, command)]


def make_hosts() -> None:
    """Namespaces whose only link is one bridge."""
    ip("link", "add", BRIDGE, "type", "bridge")
    ip("link", "set", BRIDGE, "up")
    for host, address in HOSTS.items():
        ip("netns", "add", host)
        ip("link", "add", f"v{host}", "type", "veth", "peer", "name", "eth0", "netns", host)
        ip("link", "set", f"v{host}", "master", BRIDGE, "up")
        for arguments in (("addr", "add", f"{address}/24", "dev", "eth0"), ("link", "set", "eth0", "up")):
            subprocess.run(inside(host, "ip", *arguments), check=True)
        subprocess.run(inside(host, "ip", "link", "set", "lo", "up"), check=True)


def remove_hosts() -> None:
    for host in HOSTS:
        end(host)
        ip("netns", "del", host, check=False)
        ip("link", "del", f"v{host}", check=False)
    ip("link", "del", BRIDGE, check=False)


def end(host: str) -> None:
    """Kills what runs in a host, and nothing else."""
    listed = subprocess.run(["ip", "netns", "pids", host], capture_output=True, text=True).stdout.split()
    for pid in listed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def start_ray(folder: Path) -> None:
    """One head and two workers, a core each; every host with a folder of its own for Ray's files."""
    ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--num-cpus=1", "--object-store-memory=100000000"]
    ray += ["--disable-usage-stats"]
    for host, address in HOSTS.items():
        own = [f"--node-ip-address={address}"]
        if host == "fphead":
            own += ["--head", f"--port={PORT}", "--include-dashboard=false", f"--temp-dir={folder / 'ray'}"]
        else:
            own += [f"--address={HOSTS['fphead']}:{PORT}"]
        subprocess.run(inside(host, *ray, *own), check=True, env=ENV, stdout=subprocess.DEVNULL)


def write_tasks(path: Path, count: int) -> None:
    words = ["tide", "moon", "bread", "yeast", "copper", "azurite", "tunnel", "granite", "rye", "oats", "harbour"]
    lines = []
    for k in range(count):
        texts = [
            " ".join(f"The {words[(k + i + j) % len(words)]} number {j} was seen on day {i}." for j in range(30))
            for i in range(12)
        ]
        lines.append(
            json.dumps({"id": f"q{k}", "query": f"which {words[k % len(words)]} was seen", "documents": texts})
        )
    path.write_text("\n".join(lines) + "\n", "utf-8")


def batch(tasks: Path, out: Path, *more: str) -> list[str]:
    command = [sys.executable, "-m", "fieldpack", "batch", str(tasks), "--output", str(out), "--budget", "120"]
    return [*command, "--batch", "8", *more]


def shards(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.glob("packs-*.jsonl")}


def disturbed(tasks: Path, out: Path, harms: list[tuple[int, str, Any]]) -> dict[str, Any]:
    """A run over Ray, and what is done to it when so many shards are there."""
    start, done = time.time(), []
    command = inside("fphead", *batch(tasks, out, "--ray", f"{HOSTS['fphead']}:{PORT}"))
    with subprocess.Popen(command, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        while run.poll() is None and time.time() - start < 400:
            if harms and len(shards(out)) >= harms[0][0]:
                _, name, harm = harms.pop(0)
                harm()
                done.append(f"{name} after {len(shards(out))} shards")
            time.sleep(0.5)
        if run.poll() is None:
            run.kill()
        said = run.stderr.read() if run.stderr is not None else ""
    return {
        "harms": done,
        "exit": run.returncode,
        "seconds": round(time.time() - start, 1),
        "last_line": (said.strip().splitlines() or [""])[-1][:300],
        "traceback": "Traceback" in said,
        "shards": len(shards(out)),
    }


def outcomes(folder: Path, count: int) -> list[dict[str, Any]]:
    tasks, alone = folder / "tasks.jsonl", folder / "alone"
    write_tasks(tasks, count)
    subprocess.run(batch(tasks, alone), check=True, env=ENV, capture_output=True)
    wanted = shards(alone)
    start_ray(folder)
    found = []
    cut = ("one worker cut off", lambda: ip("link", "set", "vfpone", "down"))
    killed = ("one worker killed", lambda: end("fptwo"))
    third = max(2, len(wanted) // 4)
    plans: dict[str, list[tuple[int, str, Any]]] = {
        "undisturbed": [],
        "cut off and killed": [(third, *cut), (2 * third, *killed)],
    }
    for name, harms in plans.items():
        row = {"run": name, **disturbed(tasks, folder / name.replace(" ", "-"), harms)}
        here = shards(folder / name.replace(" ", "-"))
        row["whole_and_same"] = here == wanted
        row["nothing_false"] = all(wanted[k] == v for k, v in here.items())
        if not row["whole_and_same"]:  # the next run goes on, without Ray
            again = subprocess.run(batch(tasks, folder / name.replace(" ", "-")), env=ENV, capture_output=True)
            row["finished_by_the_next"] = again.returncode == 0 and shards(folder / name.replace(" ", "-")) == wanted
        print(json.dumps(row), flush=True)
        found.append(row)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=400)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    remove_hosts()
    with tempfile.TemporaryDirectory(prefix="fp") as folder:
        try:
            make_hosts()
            rows = outcomes(Path(folder), arguments.tasks)
        finally:
            remove_hosts()
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    good = all(
        r["nothing_false"] and not r["traceback"] and (r["whole_and_same"] or r.get("finished_by_the_next"))
        for r in rows
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
