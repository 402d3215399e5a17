"""fieldpack inside LlamaIndex: the classes of `fieldpack.adapters.llamaindex`, under the name that LlamaIndex's users look for."""

from fieldpack.adapters.llamaindex import FieldpackMemoryBlock, FieldpackPostprocessor

__all__ = ["FieldpackMemoryBlock", "FieldpackPostprocessor"]
