"""A Ray cluster on loopback for the tests, in namespaces of its own: `python ray_room.py PORT FOLDER` starts a head,
then runs the commands that come on standard input, one JSON object a line, and answers each with one.

{"argv": [...]}: {"code", "out", "err"} when it has ended. With "kill_after": [folder, n] it gets SIGKILL as soon as n
shards are in the folder, and the answer has the shards that were there when it was dead.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent
SET_FLAGS, UP = 0x8914, 0x41
LONGEST = 900
"""Seconds for a command: enough where many others want the processor."""


def prefix():
    """What begins a command in namespaces of its own, where it is allowed: there nothing but loopback can be reached,
    and all processes end with the first."""
    command = ["unshare", "--map-root-user", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if shutil.which("unshare") and subprocess.run([*command, "true"], capture_output=True).returncode == 0:
        return command
    return []


def loopback_up():
    """An own network has a loopback that is down."""
    # Not allowed: this is the machine's own network, where it is up.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line, contextlib.suppress(PermissionError):
        fcntl.ioctl(line, SET_FLAGS, struct.pack("16sh", b"lo", UP))


def ray_start(port, folder):
    return [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", f"--port={port}", "--num-cpus=2"),
        *("--node-ip-address=127.0.0.1", "--include-dashboard=false", "--disable-usage-stats"),
        *(f"--object-store-memory={100 * 2**20}", f"--temp-dir={folder}", "--block"),
    ]


def shards(folder):
    return sorted(p.name for p in Path(folder).glob("*-*.*") if not p.name.startswith("."))


def done(command):
    process = subprocess.Popen(
        command["argv"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=TESTS, errors="replace"
    )
    there = []
    if "kill_after" in command:
        folder, wanted = command["kill_after"]
        while process.poll() is None and len(shards(folder)) < wanted:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        there = shards(folder)
    try:
        out, err = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        err += f"\nkilled after {LONGEST} s"
    return {"code": process.returncode, "out": out, "err": err, "shards": there}


def head(port, folder):
    """The head, once it says that it runs, and what it said; it ends its own processes when it is ended."""
    process = subprocess.Popen(ray_start(port, folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = ""
    for line in process.stdout:
        said += line
        if "Ray runtime started" in line:
            # Somebody has to read what it says later.
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return process, said
    process.wait()
    return process, said


def main():
    port, folder = sys.argv[1:]
    loopback_up()
    process, said = head(port, folder)
    print(json.dumps({"code": process.poll() or 0, "out": "", "err": said}), flush=True)
    for line in sys.stdin:
        print(json.dumps(done(json.loads(line))), flush=True)
    if os.getpid() != 1:  # the first process of a namespace takes all others along
        process.terminate()
        process.wait(20)


if __name__ == "__main__":
    main()
