"""fieldpack inside Haystack: the classes of `fieldpack.adapters.haystack` and `haystack_tools`, under the name
that Haystack's users look for."""

from fieldpack.adapters.haystack import FieldpackRanker
from fieldpack.adapters.haystack_tools import FieldpackToolTrimming

__all__ = ["FieldpackRanker", "FieldpackToolTrimming"]
