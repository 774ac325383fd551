"""Trained weights in the form of Hugging Face: tables of names, and models of a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tensorem import disk, files, nn
from tensorem.errors import FileError
from tensorem.files import Table, To
from tensorem.shapes import Spec

from ._bert import bert
from ._gpt import gpt2

_TOKENS = Spec(("N", "T"), "int32")

GPT2_NAMES: Table = {
    "wte.weight": "wte.weight",
    "wpe.weight": "wpe.weight",
    "h.{i}.ln_1.{n}": "h.layers.{i}.norm1.{n}",
    "h.{i}.attn.c_attn.weight": To("h.layers.{i}.self_attn.in_proj_weight", np.transpose),
    "h.{i}.attn.c_attn.bias": "h.layers.{i}.self_attn.in_proj_bias",
    "h.{i}.attn.c_proj.weight": To("h.layers.{i}.self_attn.out_proj.weight", np.transpose),
    "h.{i}.attn.c_proj.bias": "h.layers.{i}.self_attn.out_proj.bias",
    "h.{i}.ln_2.{n}": "h.layers.{i}.norm2.{n}",
    "h.{i}.mlp.c_fc.weight": To("h.layers.{i}.linear1.weight", np.transpose),
    "h.{i}.mlp.c_fc.bias": "h.layers.{i}.linear1.bias",
    "h.{i}.mlp.c_proj.weight": To("h.layers.{i}.linear2.weight", np.transpose),
    "h.{i}.mlp.c_proj.bias": "h.layers.{i}.linear2.bias",
    "ln_f.{n}": "h.norm.{n}",
}
"""Names of GPT-2's arrays there (without "transformer." in front) and here, for `files.renamed`."""

_LAYER, _OURS = "encoder.layer.{i}.", "encoder.layers.{i}."
_QKV = tuple(f"{_LAYER}attention.self.{part}" for part in ("query", "key", "value"))

BERT_NAMES: Table = {
    "embeddings.word_embeddings.weight": "words.weight",
    "embeddings.position_embeddings.weight": "places.weight",
    "embeddings.token_type_embeddings.weight": "kinds.weight",
    "embeddings.LayerNorm.{n}": "norm.{n}",
    tuple(f"{part}.weight" for part in _QKV): f"{_OURS}self_attn.in_proj_weight",
    tuple(f"{part}.bias" for part in _QKV): f"{_OURS}self_attn.in_proj_bias",
    f"{_LAYER}attention.output.dense.{{n}}": f"{_OURS}self_attn.out_proj.{{n}}",
    f"{_LAYER}attention.output.LayerNorm.{{n}}": f"{_OURS}norm1.{{n}}",
    f"{_LAYER}intermediate.dense.{{n}}": f"{_OURS}linear1.{{n}}",
    f"{_LAYER}output.dense.{{n}}": f"{_OURS}linear2.{{n}}",
    f"{_LAYER}output.LayerNorm.{{n}}": f"{_OURS}norm2.{{n}}",
}
"""Names of BERT's arrays there (without "bert." in front) and here, for `files.renamed`."""


def load_gpt2(folder: str | Path) -> nn.Model:
    """GPT-2 with the weights of a folder: `config.json` and `model.safetensors`, or pieces of it.

    Raises:
        FileError: A file is missing or malformed, or the configuration is of another network.
        PathError: An array is missing, or there is one more.
    """
    fixed = {"activation_function": "gelu_new", "layer_norm_epsilon": 1e-5}
    names = "n_embd", "n_layer", "n_head", "vocab_size", "n_positions", "resid_pdrop"
    *size, vocabulary, places, dropout = _config(folder, fixed, names)
    layer = gpt2((size[0], size[1], size[2]), vocabulary, places, dropout)
    state = {
        name.removeprefix("transformer."): array
        for name, array in files.read_weights(folder).items()
        if name != "lm_head.weight" and not name.endswith((".attn.bias", ".attn.masked_bias"))
    }
    return nn.build(layer, _TOKENS).load_state_dict(files.renamed(state, GPT2_NAMES))


def load_bert(folder: str | Path) -> nn.Model:
    """BERT with the weights of a folder: `config.json` and `model.safetensors`, or pieces of it.

    What stands behind the blocks, a pooling layer or a head, is left out. `MeanPooled` around it
    gives the vectors of sentences.

    Raises:
        FileError: A file is missing or malformed, or the configuration is of another network.
        PathError: An array is missing, or there is one more.
    """
    fixed = {"hidden_act": "gelu", "layer_norm_eps": 1e-12, "type_vocab_size": 2}
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size",
             "max_position_embeddings", "hidden_dropout_prob")  # fmt: skip
    *size, vocabulary, places, dropout = _config(folder, fixed, names)
    layer = bert((size[0], size[1], size[2]), vocabulary, places, dropout)
    found = files.read_weights(folder)
    state = {name.removeprefix("bert."): array for name, array in found.items()}
    kept = ("embeddings.", "encoder.")
    state = {n: a for n, a in state.items() if n.startswith(kept) and "position_ids" not in n}
    model = nn.build(layer, (_TOKENS, Spec(("N", "T"), "bool")))
    return model.load_state_dict(files.renamed(state, BERT_NAMES))


def _config(folder: str | Path, fixed: Mapping[str, object], names: tuple[str, ...]) -> list[Any]:
    """What a configuration says by these names, where it agrees with what our layer has."""
    path = disk.path_of(folder) / "config.json"
    try:
        said = disk.parse_json(disk.read_whole(path))
        for name, value in fixed.items():
            if said.get(name, value) != value:
                raise FileError(f"config.json takes {name} as {value!r}, got {said[name]!r}.",
                                where=str(path))  # fmt: skip
        return [said[name] for name in names]
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise FileError(
            "A config.json says what its network has, got another.",
            where=str(path),
            because=f"{type(error).__name__}: {error}",
        ) from None
