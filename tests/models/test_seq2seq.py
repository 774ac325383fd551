"""Encoder and decoder: attention against PyTorch's parts, lengths, and words of a trained one."""

from __future__ import annotations

from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorem as tm
from close import assert_close
from tensorem import files, models, nn, text
from tensorem.errors import ArgumentError, DataError, LayerError

RNG = np.random.default_rng(0)
INTEGERS = tm.Spec(("N", "S"), "int32"), tm.Spec(("N", "T"), "int32"), tm.Spec(("N",), "int32")
SOURCE, TARGET = RNG.integers(0, 7, (3, 5)), RNG.integers(0, 6, (3, 4))
LENGTHS = np.array([5, 2, 3], np.int32)


def built(attention: str) -> nn.Model:
    return nn.build(models.seq2seq((7, 6), 4, 8, attention), INTEGERS, seed=1)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def cell(x: np.ndarray, h: np.ndarray, w: dict[str, np.ndarray], at: str, end: str) -> np.ndarray:
    a = x @ w[f"{at}weight_ih{end}"].T + w[f"{at}bias_ih{end}"]
    b = h @ w[f"{at}weight_hh{end}"].T + w[f"{at}bias_hh{end}"]
    (r, z, n), (s, y, m) = np.split(a, 3), np.split(b, 3)
    z = sigmoid(z + y)
    return (1 - z) * np.tanh(n + sigmoid(r + s) * m) + z * h


def written(w: dict[str, np.ndarray], attention: str, row: int) -> np.ndarray:
    """The scores of one pair, step by step."""
    h, memory = np.zeros(8), []
    for token in SOURCE[row, : LENGTHS[row]]:
        h = cell(w["encoder.embed.weight"][token], h, w, "encoder.body.", "_l0")
        memory.append(h)
    m, scores = np.stack(memory), []

    def to(x: np.ndarray, name: str) -> np.ndarray:
        return x @ w[f"decoder.{name}.weight"].T + w.get(f"decoder.{name}.bias", 0)

    for token in TARGET[row]:
        y = w["decoder.embed.weight"][token]
        if attention == "luong":
            h = cell(y, h, w, "decoder.body.gru.", "_l0")
            context = softmax(m @ to(h, "body.score")) @ m
        else:
            near = np.tanh(to(h, "body.step.query") + to(m, "body.keys"))
            context = softmax(to(near, "body.step.score")[:, 0]) @ m
            h = cell(np.concatenate([y, context]), h, w, "decoder.body.step.cell.", "")
        joined = np.tanh(to(np.concatenate([context, h]), "body.join"))
        scores.append(to(joined, "head"))
    return np.stack(scores)


@pytest.mark.parametrize("attention", ["luong", "bahdanau"])
def test_attention_is_that_of_the_paper_and_sees_no_padding(attention: str) -> None:
    model = built(attention)
    w = {n: np.asarray(a, np.float64) for n, a in model.params.items()}
    expected = np.stack([written(w, attention, row) for row in range(3)])
    assert_close(model(SOURCE, TARGET, LENGTHS), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("attention", ["none", "luong", "bahdanau"])
def test_what_is_written_is_the_likeliest_of_the_whole_forward(attention: str) -> None:
    model = built(attention)
    found = models.translate(model, SOURCE, 1, 6 - 1, lengths=LENGTHS, most=4)
    for row, tokens in enumerate(found):
        so_far = [1]
        for token in tokens:
            scores = model(SOURCE[row : row + 1], [so_far], LENGTHS[row : row + 1])
            assert int(scores[0, -1].argmax()) == token
            so_far.append(token)


def log_probability(model: nn.Model, row: int, target: tuple[int, ...], stop: int) -> float:
    """That of a target, up to what ends it."""
    size = target.index(stop) + 1 if stop in target else len(target)
    scores = model(SOURCE[row : row + 1], [(1, *target)], LENGTHS[row : row + 1])
    logs = np.log(softmax(np.asarray(scores[0], np.float64)))
    return float(sum(logs[place, token] for place, token in enumerate(target[:size])))


def test_enough_beams_find_the_likeliest_target_of_all() -> None:
    model = built("luong")
    stop = int(model(SOURCE, np.ones((3, 1), np.int32), LENGTHS)[0, -1].argsort()[-3])
    for row, found in enumerate(
        models.translate(model, SOURCE, 1, stop, lengths=LENGTHS, most=3, beams=36)
    ):
        every = product(range(6), repeat=3)
        best = max(every, key=lambda target: log_probability(model, row, target, stop))
        assert found == list(best[: best.index(stop) if stop in best else None])


G2P = find_spec("g2p_en")
SOUNDS = (
    "<pad> <unk> <s> </s> AA* AE* AH* AO* AW* AY* B CH D DH EH* ER* EY* F G HH IH* IY* JH K L M"
    " N NG OW* OY* P R S SH T TH UH* UW UW* V W Y Z ZH"
)
PHONEMES = [
    sound.replace("*", stress)
    for sound in SOUNDS.split()
    for stress in ("012" if sound.endswith("*") else "-")
]
NAMES: files.Table = {
    "enc_emb": "encoder.embed.weight",
    "dec_emb": "decoder.embed.weight",
    "enc_w_{kind}": "encoder.body.weight_{kind}_l0",
    "enc_b_{kind}": "encoder.body.bias_{kind}_l0",
    "dec_w_{kind}": "decoder.body.weight_{kind}_l0",
    "dec_b_{kind}": "decoder.body.bias_{kind}_l0",
    "fc_w": "decoder.head.weight",
    "fc_b": "decoder.head.bias",
}


@pytest.mark.skipif(G2P is None, reason="g2p-en is not installed")
def test_a_trained_encoder_decoder_says_how_words_are_spoken() -> None:
    assert G2P is not None and G2P.origin is not None
    arrays = files.read_weights(Path(G2P.origin).parent / "checkpoint20.npz")
    model = nn.build(models.seq2seq((29, 74), 256, 256, "none"), INTEGERS)
    model = model.load_state_dict(files.renamed(arrays, NAMES))
    words = ("theorem", "tensor")
    ids = [[3 + ord(c) - ord("a") for c in word] + [2] for word in words]
    assert len(PHONEMES) == 74
    tokens, mask = text.padded(ids)
    found = models.translate(model, tokens, 2, 3, lengths=mask.sum(1), most=20)
    spoken = [" ".join(PHONEMES[i] for i in row) for row in found]
    assert spoken == ["TH IY1 ER0 M EH0 N", "T EH1 N S ER0"]


def test_what_is_refused() -> None:
    model = built("none")
    wrong: Any
    with pytest.raises(ArgumentError, match="seq2seq takes attention"):
        models.seq2seq((7, 6), 4, 8, "both")
    for name, wrong in (
        ("start", {"start": 6}),
        ("stop", {"stop": -1}),
        ("most", {"most": 0}),
        ("beams", {"beams": 0}),
    ):
        with pytest.raises(ArgumentError, match=f"translate takes {name}"):
            models.translate(model, SOURCE, **{"start": 0, "stop": 1, **wrong})
    for source in ([[7]], [[-1]], [1], [[]]):
        with pytest.raises(DataError, match=r"sources \(N, S\) of tokens from 0 to 6, got"):
            models.translate(model, source, 0, 1)
    with pytest.raises(LayerError, match=r"translate takes a model of models\.Seq2Seq, got Linear"):
        models.translate(nn.build(nn.Linear(1, 1), ("N", 1)), [[1]], 0, 1)
