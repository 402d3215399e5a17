"""Texts made shorter without a language model (design text, sections 3.1, 3.3, 4.2 and 8.3)."""

from fieldpack.compress.abstraction import abstraction_levels, key_terms
from fieldpack.compress.extract import extract_relevant_information, relevant_spans
from fieldpack.compress.optimizer import Compression, DynamicTokenOptimizer, choose_strategy
from fieldpack.compress.progressive import Chunk, ProgressiveResult, process_progressively, progressive_loading
from fieldpack.compress.reduction import Reduction, Step, progressive_reduction
from fieldpack.compress.rewrite import compress_format, restructure
from fieldpack.compress.structure import Fact, chunk_information, read_facts, structured_input

__all__ = [
    "Chunk",
    "Compression",
    "DynamicTokenOptimizer",
    "Fact",
    "ProgressiveResult",
    "Reduction",
    "Step",
    "abstraction_levels",
    "choose_strategy",
    "chunk_information",
    "compress_format",
    "extract_relevant_information",
    "key_terms",
    "process_progressively",
    "progressive_loading",
    "progressive_reduction",
    "read_facts",
    "relevant_spans",
    "restructure",
    "structured_input",
]
