"""Strings of documents as HTML and as JSON inside HTML, so that none of them can end where it stands."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from typing import Any

# C0 and C1 controls but tab and newline (NUL cannot stand in HTML, the others show as nothing), U+2028 and U+2029.
_CONTROLS = {c: 0xFFFD for c in (*range(9), 11, 12, *range(14, 32), *range(127, 160), 0x2028, 0x2029)}
_RETURNS = re.compile("\r\n?")
_SURROGATES = re.compile("[\ud800-\udfff]")


def text(value: object) -> str:
    """For element content and quoted attributes: markup escaped, control characters and lone surrogates replaced."""
    printable = _SURROGATES.sub("\ufffd", _RETURNS.sub("\n", str(value)).translate(_CONTROLS))
    return html.escape(printable, quote=True)


def data(value: Any) -> str:
    """JSON for a script element: ASCII only, and no <, > or &, so that no `</script` or `<!--` can arise."""
    raw = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return raw.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def digest(code: str) -> str:
    """The source expression by which a content security policy allows exactly this inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode('utf-8')).digest()).decode()}'"
