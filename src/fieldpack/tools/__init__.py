"""Tool output inside a token budget: `trim` a result for a question, `expand` what was left out."""

from fieldpack.tools.calls import ToolCall as ToolCall
from fieldpack.tools.handle import ExpandTool as ExpandTool
from fieldpack.tools.savings import Price as Price
from fieldpack.tools.savings import Savings as Savings
from fieldpack.tools.settings import TrimSettings as TrimSettings
from fieldpack.tools.sqlite_store import SqliteStore as SqliteStore
from fieldpack.tools.state import TrimState as TrimState
from fieldpack.tools.store import MemoryStore as MemoryStore
from fieldpack.tools.trimmed import Trimmed as Trimmed
from fieldpack.tools.trimmer import ToolTrimmer as ToolTrimmer
from fieldpack.tools.trimmer import atrim as atrim
from fieldpack.tools.trimmer import trim as trim

__all__ = [
    "ExpandTool",
    "MemoryStore",
    "Price",
    "Savings",
    "SqliteStore",
    "ToolCall",
    "ToolTrimmer",
    "TrimSettings",
    "TrimState",
    "Trimmed",
    "atrim",
    "trim",
]
