"""The page at /docs: every address with what it takes and answers, written from the OpenAPI document. It loads nothing
from elsewhere, so it works where no network is."""

from __future__ import annotations

import json
from typing import Any

from fieldpack.html import escape as text

Schema = dict[str, Any]


def reference_page(document: Schema) -> str:
    """HTML of an OpenAPI document with JSON bodies, as FastAPI makes it."""
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    listed = "".join(f'<li><a href="#{o["operationId"]}">{_name(m, p)}</a></li>' for m, p, o in operations)
    sections = "".join(_operation(method, path, operation) for method, path, operation in operations)
    schemas = document["components"]["schemas"]
    records = "".join(_record(name, schema) for name, schema in sorted(schemas.items()))
    title = f"{text(document['info']['title'])} {text(document['info']['version'])}"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: addresses</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/page.css"></head>
<body class="reference"><header><h1>{title}</h1><p>{text(document["info"]["description"])}
<a href="/">The page for people</a>, <a href="/openapi.json">OpenAPI</a>.</p></header>
<main><ul>{listed}</ul>{sections}<h2>Records</h2>{records}</main></body></html>
"""


def _name(method: str, path: str) -> str:
    return f"<code>{method} {text(path)}</code>"


def _operation(method: str, path: str, operation: Schema) -> str:
    takes = _body(operation.get("requestBody", {}))
    answers = "; ".join(
        f"{text(status)}: {_body(answer) or text(answer['description'])}"
        for status, answer in operation["responses"].items()
    )
    body = f"<p>Takes {takes}.</p>" if takes else ""
    about = f'<section class="card" id="{operation["operationId"]}"><h3>{_name(method, path)}</h3>'
    purpose = text(operation.get("description") or operation["summary"])
    return f"{about}<p>{purpose}</p>{body}<p>Answers {answers}.</p></section>"


def _body(message: Schema) -> str:
    """The records that a request or an answer may be; "" where it has none."""
    return " or ".join(
        f"{_type(content.get('schema', {}))}" + ("" if media == "application/json" else f" ({text(media)})")
        for media, content in message.get("content", {}).items()
    )


def _record(name: str, schema: Schema) -> str:
    required = schema.get("required", [])
    rows = "".join(_property(key, value, key in required) for key, value in schema.get("properties", {}).items())
    about = f"<p>{text(schema['description'])}</p>" if "description" in schema else ""
    head = f'<section class="card" id="record-{text(name)}"><h3><code>{text(name)}</code></h3>{about}'
    return f"{head}<table>{rows}</table></section>" if rows else f"{head}<p>{_type(schema)}</p></section>"


def _property(name: str, schema: Schema, required: bool) -> str:
    facts = [] if "default" not in schema else [f"default <code>{text(json.dumps(schema['default']))}</code>"]
    facts += [f"{label} {text(schema[key])}" for key, label in _BOUNDS.items() if key in schema]
    facts += [text(schema["description"])] if "description" in schema else []
    mark = "required" if required else ""
    return (
        f"<tr><th><code>{text(name)}</code></th><td>{mark}</td><td>{_type(schema)}</td><td>{'; '.join(facts)}</td></tr>"
    )


_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "maxLength": "characters at most:",
    "maxItems": "items at most:",
}


def _type(schema: Schema) -> str:
    """A type in words, records as links."""
    if "$ref" in schema:
        name = text(schema["$ref"].rpartition("/")[2])
        return f'<a href="#record-{name}">{name}</a>'
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_type(part) for part in schema[key]))
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(f"<code>{text(json.dumps(value))}</code>" for value in values)
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return text(schema.get("type", "anything"))
