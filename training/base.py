"""The base model: dequantised from the GGUF that the server runs, so that an expert is trained on
the very weights that it will be added to."""

from pathlib import Path

import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer


def load(path: Path):
    """(model in float32, tokenizer)"""
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="sdpa"
    )
    model.config.use_cache = False
    # Saved adapters name their base; a path of the machine that trained it would mean nothing.
    model.name_or_path = model.config._name_or_path = path.parent.name
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    if model.config.model_type == "llama":
        # transformers forgets this part of SmolLM2's tokenizer when it reads a GGUF.
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        )
    return model, tokenizer
