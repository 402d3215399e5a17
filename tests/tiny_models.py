"""A real but tiny BERT with random weights, as a folder that sentence-transformers loads."""

from __future__ import annotations

import string
from pathlib import Path

WINDOW = 32
_WORDS = "the of and cat sat on mat quick brown fox jumps over lazy dog mercury zebra field budget token river bridge"


def tiny_bert(folder: Path) -> Path:
    """Two layers of width 32, some 120 word pieces, a window of 32 tokens."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    letters = list(string.ascii_lowercase + string.digits + string.punctuation)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters), *_WORDS.split()]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", "utf-8")
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=WINDOW,
        initializer_range=0.3,
    )
    BertModel(config).eval().save_pretrained(folder)
    tokenizer = BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), model_max_length=WINDOW)
    tokenizer.save_pretrained(folder)
    return folder
