"""fieldpack inside LangChain: the classes of `fieldpack.adapters.langchain` and `langchain_tools`, under the name
that LangChain's users look for."""

from fieldpack.adapters.langchain import FieldpackCompressor, FieldpackMessageTrimmer
from fieldpack.adapters.langchain_tools import FieldpackToolTrimming

__all__ = ["FieldpackCompressor", "FieldpackMessageTrimmer", "FieldpackToolTrimming"]
