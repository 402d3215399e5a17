"""fieldpack inside LangChain: the classes of `fieldpack.adapters.langchain`, under the name that LangChain's users look for."""

from fieldpack.adapters.langchain import FieldpackCompressor, FieldpackMessageTrimmer

__all__ = ["FieldpackCompressor", "FieldpackMessageTrimmer"]
