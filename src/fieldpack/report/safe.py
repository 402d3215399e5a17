"""JSON inside a script element, which no string of a document can end, and the digest of inline code.

Text is escaped by `fieldpack.html.escape`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any


def data(value: Any) -> str:
    """JSON for a script element: ASCII only, and no <, > or &, so that no `</script` or `<!--` can arise."""
    raw = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return raw.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def digest(code: str) -> str:
    """The source expression by which a content security policy allows exactly this inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode('utf-8')).digest()).decode()}'"
