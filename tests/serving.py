"""What the tests of the service share: an app, a service in another process, raw sockets."""

import contextlib
import re
import socket
import subprocess
import sys

from fieldpack.server import Settings, create_app

TIDES = {"id": "tides", "text": "Tides are caused by the gravity of the Moon.\n\nSpring tides come at full moon."}
BREAD = {"id": "bread", "text": "Sourdough needs a starter. The starter is fed every day.", "title": "Bread"}
ASK = {"query": "what causes tides", "documents": [TIDES, BREAD], "budget": 25}
KEY = "a-key-of-some-length-0123"


def app(**changed):
    return create_app(Settings(allow_hosts=("testserver",), **changed))


@contextlib.contextmanager
def running(before="", **changed):
    """A service in another process, on a port of its own: (address, process)."""
    code = (
        f"import fieldpack.server.run as r; from fieldpack.server import Settings; {before}\n"
        f"r.serve(Settings(port=0, **{changed!r}), lambda url: print(url, flush=True))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip(), process
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def running_well(before="", **changed):
    """`running` for a whole module: its address; at the end it is stopped, ends well and says nothing."""
    with running(before, **changed) as (url, process):
        yield url
        process.terminate()
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "", ""), "a stopped service ends well and says nothing"


def problem(answer, status, kind):
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (answer.status_code, body["status"], body["type"]) == (status, status, f"urn:fieldpack:problem:{kind}"), body
    assert body["title"] and body["detail"] and "Traceback" not in answer.text
    return body


HEAD = b"POST /v1/pack HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def connected(url, wait=30.0, receive=None):
    """A socket of its own to the service. receive: bytes of its receive buffer."""
    host, port = re.match(r"http://([^:]+):(\d+)/", url).groups()
    s = socket.socket()
    s.settimeout(wait)
    if receive:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    s.connect((host, int(port)))
    return s


def spoken(url, data, wait=8.0):
    """What a socket answers to raw bytes, until it closes."""
    with connected(url, wait) as s:
        s.sendall(data)
        out = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            while chunk := s.recv(65536):
                out += chunk
        return out
