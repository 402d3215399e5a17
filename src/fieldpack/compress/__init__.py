"""Texts made shorter without a language model (design text, sections 3.1, 3.3, 4.2 and 8.3)."""

from fieldpack.compress.extract import extract_relevant_information, relevant_spans
from fieldpack.compress.optimizer import Compression, DynamicTokenOptimizer, choose_strategy
from fieldpack.compress.rewrite import compress_format, restructure

__all__ = [
    "Compression",
    "DynamicTokenOptimizer",
    "choose_strategy",
    "compress_format",
    "extract_relevant_information",
    "relevant_spans",
    "restructure",
]
