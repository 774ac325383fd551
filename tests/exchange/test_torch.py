"""Programs and modules of PyTorch, held against PyTorch itself."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import tensorem as tm
from tensorem import nn
from tensorem.errors import ArgumentError, CaptureError, LayerError
from tensorem.nn.examples import EXAMPLES, Example
from tensorem.shapes import Spec, spec_of

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
th = torch.nn
WITHOUT = {"TransformerDecoderLayer", "TransformerDecoder", "Transformer", "WeightNorm"} | {
    *("SpectralNorm", "BasicBlock", "Bottleneck")
}
"""Layers whose twins are modules of several parts that we do not take apart."""


class Block(th.Module):
    """A block of a ResNet."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = th.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = th.BatchNorm2d(outputs)
        self.conv2 = th.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = th.BatchNorm2d(outputs)
        self.down = th.Sequential(
            th.Conv2d(inputs, outputs, 1, stride, bias=False), th.BatchNorm2d(outputs)
        )

    def forward(self, x: Any) -> Any:
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + self.down(x))


class Recurrent(th.Module):
    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.inner = kind(4, 6, batch_first=True, bidirectional=True)
        self.last = th.Linear(12, 3)

    def forward(self, x: Any) -> Any:
        return self.last(self.inner(x)[0][:, -1])


class Words(th.Module):
    """A transformer encoder over indices."""

    def __init__(self) -> None:
        super().__init__()
        layer = th.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
        self.embedding = th.Embedding(11, 8)
        self.encoder = th.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = th.Linear(8, 11)

    def forward(self, index: Any) -> Any:
        return self.head(self.encoder(self.embedding(index))).softmax(-1)


class Mixed(th.Module):
    """Steps between layers, on two inputs."""

    def forward(self, x: Any, y: Any) -> Any:
        a, b = x.chunk(2, -1)
        mean = y.mean(1, keepdim=True).expand(-1, a.shape[1])
        z = torch.cat([a * torch.sigmoid(b), mean], 1)
        z = torch.where(z > 0, z, z.abs().sqrt()).pow(2) - z.exp().clamp(max=3)
        z = z.transpose(0, 1).reshape(-1, z.shape[0]).t().masked_fill(z > 1, 0.0)
        z = z + torch.arange(z.shape[1]) + z.amax(1, keepdim=True) + z.var(1, keepdim=True)
        return z[:, ::2], (z.sum(-1), th.functional.pad(z, (1, 0)).argmax(1))


def seeded(make: Any) -> Any:
    torch.manual_seed(0)
    return make().eval()


PROGRAMS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "mlp": (
        lambda: th.Sequential(
            *(th.Linear(4, 8), th.GELU(), th.LayerNorm(8), th.Dropout(0.5)),
            *(th.Linear(8, 3), th.LogSoftmax(-1)),
        ),
        ((4,),),
    ),
    "cnn": (
        lambda: th.Sequential(
            *(th.Conv2d(1, 4, 3, padding=1), th.ReLU(), th.MaxPool2d(2), th.ELU()),
            *(th.Conv2d(4, 4, 3, groups=2), th.AvgPool2d(2), th.Flatten(), th.Linear(4, 3)),
        ),
        ((1, 8, 8),),
    ),
    "resnet": (
        lambda: th.Sequential(
            *(th.Conv2d(3, 4, 7, 2, 3), th.BatchNorm2d(4), th.ReLU(), th.MaxPool2d(3, 2, 1)),
            *(Block(4, 4, 1), Block(4, 8, 2), th.AdaptiveAvgPool2d(1), th.Flatten()),
            th.Linear(8, 3),
        ),
        ((3, 32, 32),),
    ),
    "upsampling": (
        lambda: th.Sequential(
            *(th.ConvTranspose2d(2, 3, 2, 2), th.Upsample(scale_factor=2), th.GroupNorm(3, 3)),
            *(th.Hardswish(), th.PReLU()),
        ),
        ((2, 4, 4),),
    ),
    "lstm": (lambda: Recurrent(th.LSTM), ((5, 4),)),
    "gru": (lambda: Recurrent(th.GRU), ((5, 4),)),
    "words": (Words, ((5,),)),
    "mixed": (Mixed, ((4,), (6,))),
}


def exported(module: Any, xs: tuple[Any, ...]) -> Any:
    """The program, for batches of any size."""
    batch = torch.export.Dim("batch", min=2, max=64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.export.export(module, xs, dynamic_shapes=tuple({0: batch} for _ in xs))


def inputs(name: str, batch: int) -> tuple[Any, ...]:
    generator = torch.Generator().manual_seed(batch)
    if name == "words":
        return (torch.randint(0, 11, (batch, 5), generator=generator),)
    return tuple(torch.randn(batch, *shape, generator=generator) for shape in PROGRAMS[name][1])


def leaves(tree: Any) -> list[Any]:
    if isinstance(tree, tuple | list):
        return [leaf for part in tree for leaf in leaves(part)]
    return [tree.detach().numpy() if hasattr(tree, "detach") else np.asarray(tree)]


def require_close(ours: Any, theirs: Any) -> None:
    for y, t in zip(leaves(ours), leaves(theirs), strict=True):
        np.testing.assert_allclose(y, t, rtol=0, atol=1e-5 * (1 + np.abs(t).max()))


QUICK = ("cnn", "mixed")
WALKED = [pytest.param(n, marks=() if n in QUICK else pytest.mark.long) for n in PROGRAMS]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", WALKED)
def test_a_program_computes_what_pytorch_computes(name: str) -> None:
    module = seeded(PROGRAMS[name][0])
    graph = tm.torch.load(exported(module, inputs(name, 3)))
    assert len(graph.names) == 1
    assert set(graph.arrays) >= {n for n, _ in module.named_parameters()}
    for batch in (3, 5):
        xs = inputs(name, batch)
        require_close(tm.evaluate(graph, *(x.numpy() for x in xs)), module(*xs))


@pytest.mark.filterwarnings("ignore")
def test_sizes_get_other_names_or_numbers() -> None:
    program = exported(seeded(PROGRAMS["mlp"][0]), inputs("mlp", 3))
    [theirs] = tm.torch.load(program).names
    assert tm.torch.load(program, sizes={theirs: "N"}).names == {"N"}
    assert tm.torch.load(program, sizes={theirs: 4}).specs["x0"].shape == (4, 4)
    with pytest.raises(ArgumentError, match=f"load takes sizes for {theirs}, got M"):
        tm.torch.load(program, sizes={"M": 4})


@pytest.mark.filterwarnings("ignore")
def test_a_program_of_piecewise_linear_layers_is_bounded_and_exact() -> None:
    program = exported(seeded(PROGRAMS["cnn"][0]), inputs("cnn", 3))
    coverage = tm.coverage(tm.torch.load(program))
    assert coverage["interval"] == "" and coverage["lines"] == ""


class Strange(th.Module):
    def forward(self, x: Any) -> Any:
        return torch.special.i0(x)


@pytest.mark.filterwarnings("ignore")
def test_what_is_not_read_is_named() -> None:
    with pytest.raises(CaptureError, match=r"of ATen, got i0 \(node i0\)") as caught:
        tm.torch.load(exported(Strange(), (torch.ones(3, 2),)))
    assert "tm.torch.operators()" in caught.value.help
    with pytest.raises(
        ArgumentError, match=r"load takes what torch\.export\.export gives, got Lin"
    ):
        tm.torch.load(th.Linear(2, 2))


# --- modules


def twin(example: Example) -> Any:
    source = repr(example.layer) if example.twin is None else example.twin
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        return eval(source, vars(th)).eval()


SHORT = (
    *("Linear", "Conv2d with all", "BatchNorm2d", "LayerNorm of two axes", "GroupNorm", "PReLU"),
    *("Embedding with padding", "MaxPool2d ceil", "Upsample", "LSTM with its state", "GELU tanh"),
    *("TransformerEncoder", "Unflatten", "Sequential cnn"),
)
TWINS = [e for e in EXAMPLES if e.twin != "" and type(e.layer).__name__ not in WITHOUT]


MODULES = [
    pytest.param(e, id=e.title, marks=() if e.title in SHORT else pytest.mark.long) for e in TWINS
]


def specs_of(example: Example) -> tuple[Spec, ...]:
    given = spec_of(example.input)
    specs = given if isinstance(given, tuple) else (given,)
    names = [{n for size in s.shape for n in getattr(size, "names", ())} for s in specs]
    return tuple(s.bind(dict.fromkeys(n, 4)) for s, n in zip(specs, names, strict=True))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("example", MODULES)
def test_every_twin_becomes_our_layer_with_its_weights(example: Example) -> None:
    module, specs, rng = twin(example), specs_of(example), np.random.default_rng(0)
    model = tm.torch.model(module, specs if len(specs) > 1 else specs[0])
    xs = [
        rng.normal(size=s.shape).astype(np.float32)
        if s.dtype == "float32"
        else rng.integers(0, example.below, s.shape, dtype=np.int32)  # type: ignore[arg-type]
        for s in specs
    ]
    given = [torch.tensor(x).long() if x.dtype == np.int32 else torch.tensor(x) for x in xs]
    require_close(model(*xs), module(*given))


def test_a_sequence_is_edited_as_ours() -> None:
    module = th.Sequential(th.Linear(3, 4), th.ReLU(inplace=True), th.Linear(4, 2))
    model = tm.torch.model(module, ("N", 3))
    assert model.layer == nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    named = th.Sequential()
    named.add_module("first", th.Linear(3, 4))
    assert tm.torch.model(named, ("N", 3)).layer == nn.Sequential({"first": nn.Linear(3, 4)})


@pytest.mark.parametrize(
    ("make", "words", "where"),
    [
        (lambda: th.Sequential(th.ReLU(), Block(3, 3, 1)), "layers that we have, got Block", "1"),
        (lambda: th.Sequential(th.Transformer(8, 2)), "we have, got Transformer", "0"),
        (lambda: th.LSTM(3, 4), "LSTM as ours has it, got batch_first=False", "the module"),
        (lambda: th.Embedding(3, 4, max_norm=1.0), "got max_norm=1.0", "the module"),
        (lambda: th.LSTM(3, 4, batch_first=True, proj_size=2), "got proj_size=2", "the module"),
        (lambda: th.MultiheadAttention(4, 2), "got batch_first=False", "the module"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_module_without_a_twin_is_named(make: Any, words: str, where: str) -> None:
    with pytest.raises(LayerError, match=words) as caught:
        tm.torch.model(make(), ("N", 3))
    assert caught.value.where == where


def test_the_operators_are_listed() -> None:
    assert {"addmm", "convolution", "native_layer_norm"} <= set(tm.torch.operators())
