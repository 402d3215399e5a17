"""Only until the service calls `packer.explore` itself; then this file goes."""

from __future__ import annotations

from collections.abc import Sequence

from fieldpack.pipeline import ContextPacker
from fieldpack.result import Explored
from fieldpack.types import Document


def read_field(packer: ContextPacker, documents: Sequence[Document], limit: int) -> Explored:
    """`packer.explore`."""
    return packer.explore(documents, limit)
