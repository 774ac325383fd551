"""Models: parameters and names as published; each trains a step, is captured and exported."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from close import assert_close
from tensorem import losses, models, nn, text
from tensorem import onnx as ours
from tensorem.errors import ArgumentError
from tensorem.layer import Buffer, declarations

TOKENS = tm.Spec((2, 5), "int32")
STEPS = tm.Spec((3,), "int32")
SMALL: dict[str, tuple[nn.Layer, Any]] = {
    "mlp": (models.mlp(4, 3, (8,)), (2, 4)),
    "pinn": (models.pinn(width=4, depth=2), (2, 2)),
    "lenet": (models.lenet(), (1, 1, 28, 28)),
    "resnet": (
        models.ResNet(
            nn.Conv2d(3, 4, 7, 2, 3, bias=False), nn.BatchNorm2d(4),
            *(nn.blocks.resnet_stage(nn.BasicBlock, 4, 4, 1) for _ in range(4)), nn.Linear(4, 3),
        ),
        (2, 3, 16, 16),
    ),
    "vit": (models.vit(8, 4, 8, 1, 2, 8, 3), (2, 3, 8, 8)),
    "mlp_mixer": (models.mlp_mixer(8, 4, 8, 1, (4, 8), 3), (2, 3, 8, 8)),
    "convnext": (models.convnext_tiny(3, (1, 1), (4, 8)), (2, 3, 16, 16)),
    "unet": (models.unet(1, 2, (2, 4)), (2, 1, 4, 4)),
    "gru": (models.recurrent_classifier("gru", 4, 8, 3), (2, 5, 4)),
    "lstm": (models.recurrent_lm("lstm", 11, 4, 8), TOKENS),
    "gpt2": (models.gpt2((8, 1, 2), 11, 16, 0.0), TOKENS),
    "rnn_lm": (models.recurrent_lm("rnn", 11, 4, 8, 2), TOKENS),
    "s4_lm": (models.s4_lm(11, 4, 1, 3, "real"), TOKENS),
    "s4_classifier": (models.s4_classifier(2, 4, 1, 3, 4), (2, 5, 2)),
    "bert": (models.bert((8, 1, 2), 11, 16, 0.0), (TOKENS, tm.Spec((2, 5), "bool"))),
    "mamba_lm": (models.mamba_lm(11, 8, 1), TOKENS),
    "autoencoder": (models.autoencoder(8, 6, 2), (2, 8)),
    "vae": (models.vae(8, 6, 2), (2, 8)),
    "mae": (models.mae(1, 4, 2, (8, 1, 2)), (2, 1, 4, 4)),
    "vq_vae": (models.vq_vae(8, 6, 3, 2, 5), (2, 8)),
    "generator": (models.generator(2, 6, 8), (2, 2)),
    "discriminator": (models.discriminator(8, 6), (2, 8)),
    "denoising_mlp": (models.denoising_mlp(2, 4, 1), ((3, 2), STEPS)),
    "denoising_unet": (models.denoising_unet(1, (2, 4)), ((3, 1, 4, 4), STEPS)),
    "denoiser_of_classes": (
        models.denoising_unet(1, (2, 4), 3), ((3, 1, 4, 4), STEPS, STEPS)
    ),
    "fno": (models.fno(1, 1, (2, 2), 4, 1), (2, 1, 4, 5)),
    "luong": (models.seq2seq((11, 11), 4, 6, "luong"), (TOKENS, TOKENS)),
    "bahdanau": (models.seq2seq((11, 11), 4, 6, "bahdanau"), (TOKENS, TOKENS)),
    "ppo_actor": (models.ppo_actor(4, 8, 2), (3, 4)),
    "ppo_critic": (models.ppo_critic(4, 8), (3, 4)),
    "gcn": (models.gcn(4, 8, 3), ((5, 4), (5, 5))),
}  # fmt: skip


def inputs(model: nn.Model) -> list[Any]:
    rng = np.random.default_rng(0)
    return [
        rng.integers(0, 2, s.shape).astype(s.dtype)
        if "int" in s.dtype
        else np.abs(rng.normal(size=s.shape)).astype(s.dtype)
        for s in model.built.inputs
    ]


LANGUAGE = ("rnn_lm", "mamba_lm", "s4_lm")
ALWAYS = {"mlp", "resnet", "vit", "gpt2", "vae", "gcn", "fno"}
"""Models that every run of the tests looks at; the others are compiled in long ones."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in ALWAYS else pytest.mark.long) for n in SMALL]
)
def test_a_model_is_captured_exported_and_trains(name: str, tmp_path: Path) -> None:
    layer, spec = SMALL[name]
    model = nn.build(layer, input=spec)
    xs = inputs(model)
    y = jax.tree.leaves(model(*xs))
    graph = tm.capture(model)
    again = tm.load(tm.save(graph, tmp_path / "graph"))
    assert isinstance(again, tm.GraphModel) and str(again.graph) == str(graph)

    def loss(params: Any) -> Any:
        out, _ = model.train_apply(params, model.buffers, *xs, key=jax.random.key(0))
        return sum((leaf**2).mean() for leaf in jax.tree.leaves(out))

    step = jax.jit(jax.value_and_grad(loss))
    before, grad = step(dict(model.params))
    size = sum(float((g**2).sum()) for g in grad.values())
    after, _ = step({n: p - 1e-3 / math.sqrt(size) * grad[n] for n, p in model.params.items()})
    assert 0 < size < math.inf and float(after) < float(before)

    onnx = pytest.importorskip("onnxruntime")
    ours.export(graph, path := tmp_path / "model.onnx")
    session = onnx.InferenceSession(path)
    names = [i.name for i in session.get_inputs()]
    for a, b in zip(session.run(None, dict(zip(names, xs, strict=True))), y, strict=True):
        assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "count"),
    [
        (models.resnet18(), 11_689_512),
        (models.resnet34(), 21_797_672),
        (models.resnet50(), 25_557_032),
        (models.vit_b_16(), 86_567_656),
        (models.convnext_tiny(), 28_589_128),
        (models.gpt2(), 124_439_808),
        (models.lenet(), 61_706),
    ],
    ids=["resnet18", "resnet34", "resnet50", "vit_b_16", "convnext_tiny", "gpt2", "lenet"],
)
def test_the_parameters_are_as_many_as_published(layer: nn.Layer, count: int) -> None:
    declared = declarations(layer).values()
    assert sum(math.prod(d.shape) for d in declared if not isinstance(d, Buffer)) == count


DIFFERENCES = Path(__file__).parents[2] / "docs/differences.md"


def test_the_models_of_the_original_are_written_as_the_docs_say() -> None:
    rows = re.findall(
        r"^\| `\w+`.* \| `([^`]+)`[^|]* \| `([^`]+)` \|$", DIFFERENCES.read_text(), re.M
    )
    assert len(rows) == 19
    for layer, spec in rows:
        nn.build(*(eval(code, {"tm": tm, "models": models, "nn": nn}) for code in (layer, spec)))


def test_an_untrained_gpt2_knows_nothing() -> None:
    """Its table starts small, or its last layer, which is that table, would be sure of nonsense."""
    model = nn.build(models.gpt2((64, 1, 2), 101, 16, 0.0), tm.Spec(("N", 16), "int32"))
    tokens = np.random.default_rng(0).integers(0, 101, (4, 17)).astype("int32")
    loss = losses.cross_entropy(model(tokens[:, :-1]), tokens[:, 1:], reduction="mean")
    assert abs(float(loss) - math.log(101)) < 0.1


def norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    kept = ("weight", "bias", "running_mean", "running_var")
    return {**{f"{name}.{n}": (channels,) for n in kept}, f"{name}.num_batches_tracked": ()}


@pytest.mark.parametrize(
    ("layer", "sides", "depths"),
    [
        (models.resnet18(), (3, 3), (2, 2, 2, 2)),
        (models.resnet34(), (3, 3), (3, 4, 6, 3)),
        (models.resnet50(), (1, 3, 1), (3, 4, 6, 3)),
    ],
    ids=["resnet18", "resnet34", "resnet50"],
)
def test_a_resnet_has_torchvisions_names(
    layer: nn.Layer, sides: tuple[int, ...], depths: tuple[int, ...]
) -> None:
    wider, before = (4 if len(sides) == 3 else 1), 64
    arrays = {"conv1.weight": (64, 3, 7, 7), **norm("bn1", 64)}
    for stage, width in enumerate((64, 128, 256, 512)):
        for block in range(depths[stage]):
            at, x = f"layer{stage + 1}.{block}", before
            for i, side in enumerate(sides, 1):
                out = width * (wider if i == len(sides) else 1)
                arrays[f"{at}.conv{i}.weight"] = (out, x, side, side)
                arrays |= norm(f"{at}.bn{i}", out)
                x = out
            if block == 0 and before != x:
                arrays[f"{at}.downsample.0.weight"] = (x, before, 1, 1)
                arrays |= norm(f"{at}.downsample.1", x)
            before = x
    arrays |= {"fc.weight": (1000, before), "fc.bias": (1000,)}
    assert {name: d.shape for name, d in declarations(layer).items()} == arrays


def test_vit_and_convnext_have_torchvisions_names() -> None:
    found, at = set(declarations(models.vit_b_16())), "encoder.layers.encoder_layer_11"
    parts = ["ln_1.weight", "self_attention.in_proj_weight", "self_attention.out_proj.bias",
             "ln_2.bias", "mlp.0.weight", "mlp.3.bias"]  # fmt: skip
    whole = {"class_token", "conv_proj.weight", "encoder.pos_embedding", "encoder.ln.weight",
             "heads.head.bias", *(f"{at}.{part}" for part in parts)}  # fmt: skip
    assert whole <= found and len(found) == 152
    found = set(declarations(models.convnext_tiny()))
    parts = ["layer_scale", "block.0.weight", "block.2.bias", "block.3.weight", "block.5.bias"]
    whole = {"features.0.0.weight", "features.0.1.bias", "features.2.0.weight", "classifier.0.bias",
             "features.6.1.weight", *(f"features.5.8.{part}" for part in parts)}  # fmt: skip
    assert whole <= found and len(found) == 182


def test_the_evidence_lower_bound_is_that_of_the_paper() -> None:
    rng = np.random.default_rng(0)
    logits, mean, log_variance = (rng.normal(size=s) for s in ((3, 4), (3, 2), (3, 2)))
    x, p = rng.integers(0, 2, (3, 4)), 1 / (1 + np.exp(-logits))
    missed = -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum()
    kl = -0.5 * (1 + log_variance - mean**2 - np.exp(log_variance)).sum()
    output = {"logits": logits, "mean": mean, "log_variance": log_variance}
    output = {n: jnp.asarray(v, jnp.float32) for n, v in output.items()}
    total, count = models.elbo(output, jnp.asarray(x, jnp.float32))
    assert_close(total, missed + kl)
    assert float(count) == 3


def test_a_graph_convolution_is_that_of_the_paper() -> None:
    model = nn.build(models.GraphConvolution(nn.Linear(4, 3)), ((5, 4), (5, 5)))
    rng = np.random.default_rng(0)
    x, a = rng.normal(size=(5, 4)).astype(np.float32), np.triu(rng.integers(0, 2, (5, 5)), 1)
    a = (a + a.T).astype(np.float32)
    root = np.diag((a + np.eye(5)).sum(1) ** -0.5)
    w, b = (np.asarray(model.params[f"linear.{n}"]) for n in ("weight", "bias"))
    assert_close(model(x, a), root @ (a + np.eye(5)) @ root @ (x @ w.T + b))


@pytest.mark.parametrize(
    "name",
    ["gpt2", "lstm", *(pytest.param(n, marks=pytest.mark.long) for n in LANGUAGE)],
)
def test_a_language_model_sees_no_later_token_and_writes_with_its_cache(name: str) -> None:
    model = nn.build(SMALL[name][0], tm.Spec(("N", "T"), "int32"))
    x = np.array([[1, 2, 3, 4, 5]], np.int32)
    other = np.array([[1, 2, 3, 9, 9]], np.int32)
    assert_close(model(x)[:, :3], model(other)[:, :3])
    cache = model.layer.init_cache(1, 8)  # type: ignore[attr-defined]
    (first, cache), _ = model.layer.call((model.params, model.buffers), x[:, :3], cache=cache)
    (rest, _), _ = model.layer.call((model.params, model.buffers), x[:, 3:], cache=cache)
    assert_close(np.concatenate([first, rest], 1), model(x), rtol=1e-4)
    options = text.GenerationOptions(max_new_tokens=2, top_k=1)
    new = text.generate(model, [1, 2, 3], options=options)
    written = [1, 2, 3]
    for _ in range(2):
        written.append(int(model(np.array([written], np.int32))[0, -1].argmax()))
    assert list(new) == written[3:]


def test_a_recurrent_classifier_sees_no_padding() -> None:
    spec = ("N", "T", 4), tm.Spec(("N",), "int32")
    model = nn.build(models.recurrent_classifier("lstm", 4, 8, 3), spec)
    x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype(np.float32)
    x[1, 3:] = np.nan
    found = model(x, np.array([5, 3], np.int32))
    assert_close(found[0], model(x[:1], np.array([5], np.int32))[0])
    assert_close(found[1], model(x[1:, :3], np.array([3], np.int32))[0])


def test_what_is_refused() -> None:
    for call, message in (
        (lambda: models.vit(9, 4, 8, 1, 2, 8, 3), "a patch that divides the image, got 4 and 9"),
        (lambda: models.vit(8, 4, 8, 0, 2, 8, 3), "depth"),
        (lambda: models.recurrent_lm("cnn", 3, 3, 3), "kind"),
        (lambda: models.recurrent_classifier("cnn", 3, 3, 3), "kind"),
        (lambda: models.gpt2("gpt3"), "size"),
        (lambda: models.unet(1, 1, ()), "unet takes the channels of a level or more"),
        (lambda: models.unet(1, 1, (0,)), "channels"),
    ):
        with pytest.raises(ArgumentError, match=message):
            call()
    with pytest.raises(tm.errors.ShapeError):
        models.elbo(dict.fromkeys(("logits", "mean", "log_variance"), jnp.ones((1, 2))),
                    jnp.ones((1, 3)))  # fmt: skip
