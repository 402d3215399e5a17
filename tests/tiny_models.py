"""Real but tiny BERTs with random weights, as folders that sentence-transformers loads."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

WINDOW = 32
_WORDS = "the of and cat sat on mat quick brown fox jumps over lazy dog mercury zebra field budget token river bridge"


def tiny_bert(folder: Path) -> Path:
    """Two layers of width 32, some 120 word pieces, a window of 32 tokens."""
    from transformers import BertModel

    return _saved(folder, BertModel, {})


def tiny_cross_encoder(folder: Path) -> Path:
    """The same with one number for a pair of texts."""
    from transformers import BertForSequenceClassification

    return _saved(folder, BertForSequenceClassification, {"num_labels": 1})


def _saved(folder: Path, kind: Any, more: dict[str, Any]) -> Path:
    import torch
    from transformers import BertConfig, BertTokenizerFast

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
        **more,
    )
    kind(config).eval().save_pretrained(folder)
    tokenizer = BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), model_max_length=WINDOW)
    tokenizer.save_pretrained(folder)
    return folder
