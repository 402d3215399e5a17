"""A real LiteLLM proxy on the loopback, before a scripted model that records what it is asked."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

CONFIG = """
model_list:
  - model_name: scripted
    litellm_params: {{model: openai/scripted, api_base: "{upstream}/v1", api_key: unused}}
guardrails:
  - guardrail_name: over-http
    litellm_params:
      guardrail: generic_guardrail_api
      mode: pre_call
      api_base: "{service}"
      api_key: "{key}"
      unreachable_fallback: fail_open
      additional_provider_specific_params: {{budget: 200}}
  - guardrail_name: down
    litellm_params:
      guardrail: generic_guardrail_api
      mode: pre_call
      api_base: "http://127.0.0.1:{closed}"
      unreachable_fallback: fail_open
  - guardrail_name: refused
    litellm_params:
      guardrail: generic_guardrail_api
      mode: pre_call
      api_base: "{service}"
      api_key: "a-key-that-is-wrong"
      unreachable_fallback: fail_open
      fail_on_error: false
  - guardrail_name: inside
    litellm_params:
      guardrail: fieldpack.adapters.litellm.FieldpackGuardrail
      mode: pre_call
      budget: 200
litellm_settings: {{telemetry: false, use_chat_completions_url_for_anthropic_messages: true}}
router_settings: {{disable_cooldowns: true}}
"""


def shown_config():
    """The configuration with no places in it."""
    return CONFIG.format(upstream="u", service="s", key="k", closed=1)


class Upstream:
    """An OpenAI-like model: answers with the numbers of the orders that it reads "in May" of. asked: the bodies of the
    requests."""

    def __init__(self):
        self.asked = []
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                upstream.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                read = json.dumps(upstream.asked[-1]["messages"])
                orders = re.findall(r"order (\d+): refund of \d+ euros in May", read)
                message = {"role": "assistant", "content": f"in May: {' '.join(orders)}"}
                choice = {"index": 0, "finish_reason": "stop", "message": message}
                tokens = len(read) // 4
                usage = {"prompt_tokens": tokens, "completion_tokens": 9, "total_tokens": tokens + 9}
                body = {"id": "x", "object": "chat.completion", "created": 1, "model": "scripted"}
                data = json.dumps({**body, "choices": [choice], "usage": usage}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def upstream():
    made = Upstream()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()


@contextlib.contextmanager
def proxy(folder, **places):
    """LiteLLM's proxy in a process of its own: its address."""
    config, log, port = folder / "config.yaml", folder / "proxy.log", free_port()
    config.write_text(CONFIG.format(closed=free_port(), **places), "utf-8")
    source = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "src")
    environment = {**os.environ, "PYTHONPATH": source, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "*"}
    environment |= {"LITELLM_MASTER_KEY": "sk-test", "LITELLM_DONT_SHOW_FEEDBACK_BOX": "True"}
    environment |= {"CONFIG_FILE_PATH": str(config)}
    code = (  # what the command litellm runs, without the need for uvloop
        "import uvicorn; from litellm.proxy.proxy_server import app; "
        f"uvicorn.run(app, host='127.0.0.1', port={port}, loop='asyncio')"
    )
    with log.open("w") as out:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=out, stderr=out, env=environment, cwd=folder)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url + "/health/liveliness", process, log)
        yield url
    finally:
        process.kill()
        process.wait()


def wait_for(url, process, log):
    """Until the proxy answers: it takes 10 to 60 seconds to load."""
    for _ in range(600):
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, timeout=5).status_code == 200:
                return
        assert process.poll() is None, log.read_text()[-3000:]
        time.sleep(0.3)
    raise AssertionError(log.read_text()[-3000:])
