"""fieldpack inside LlamaIndex: the classes of `fieldpack.adapters.llamaindex` and `llamaindex_tools`, under the name
that LlamaIndex's users look for."""

from fieldpack.adapters.llamaindex import FieldpackMemoryBlock, FieldpackPostprocessor
from fieldpack.adapters.llamaindex_tools import FieldpackToolTrimming

__all__ = ["FieldpackMemoryBlock", "FieldpackPostprocessor", "FieldpackToolTrimming"]
