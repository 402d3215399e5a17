"""fieldpack inside Haystack: the classes of `fieldpack.adapters.haystack`, under the name that Haystack's users look for."""

from fieldpack.adapters.haystack import FieldpackRanker

__all__ = ["FieldpackRanker"]
