"""A BERT-class model small enough to be made here, and pairs of texts with a planted answer."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from components.train_text.fine_tune import FineTuneConfig

SYNONYMS = [(f"left{n}", f"right{n}") for n in range(12)]
FILLERS = [f"word{n}" for n in range(20)]
CONFIG = FineTuneConfig(epochs=20, learning_rate=3e-3, batch_size=12, layers=2)


def make_bert(folder: Path) -> Path:
    """Write a folder as one of Hugging Face's: two layers of 32, weights drawn by a seed, one token a word."""
    from transformers import BertConfig, BertModel

    folder.mkdir(parents=True, exist_ok=True)
    known = ["[PAD]", "[UNK]", *(word for pair in SYNONYMS for word in pair), *FILLERS]
    tokenizer = Tokenizer(WordLevel({word: at for at, word in enumerate(known)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=600, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64,
    )  # fmt: skip
    config.save_pretrained(folder)
    save_file(BertModel(config, add_pooling_layer=False).state_dict(), folder / "model.safetensors", {"format": "pt"})
    return folder


def planted(seed: int) -> list[tuple[str, str]]:
    """Texts of two words each: a word and its synonym, beside fillers that say nothing."""
    draw = np.random.default_rng(seed)
    return [
        (f"{left} {draw.choice(FILLERS)}", f"{draw.choice(FILLERS)} {right}")
        for left, right in SYNONYMS
        for _ in range(20)
    ]
