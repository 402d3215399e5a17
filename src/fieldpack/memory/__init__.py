"""Conversation memory: windows, summaries, key facts, and old turns recalled by the field (design text, 3.2, 8.2)."""

from fieldpack.memory.keys import key_facts
from fieldpack.memory.manager import ContextMemoryManager
from fieldpack.memory.messages import Message, apply_window, render

__all__ = ["ContextMemoryManager", "Message", "apply_window", "key_facts", "render"]
