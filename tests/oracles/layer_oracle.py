"""The examples of layers run in PyTorch and in tensorem: the same inputs, weights and names."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from tensorem import nn
from tensorem.nn.examples import EXAMPLES, Example
from tensorem.shapes import Spec, spec_of

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Setting:
    """What stands in place of names, and how large the numbers are."""

    name: str
    batch: int
    length: int
    scale: float = 1.0


SETTINGS = (Setting("plain", 2, 4), Setting("one", 1, 3), Setting("large", 3, 5, 30.0))


@dataclass(frozen=True)
class Case:
    """An example in a setting."""

    example: Example
    setting: Setting

    @property
    def name(self) -> str:
        return f"{self.example.title}/{self.setting.name}"

    @property
    def specs(self) -> tuple[Spec, ...]:
        """The specs of the inputs, all sizes numbers."""
        return bound(self.example, self.setting.batch, self.setting.length)


def bound(example: Example, batch: int, length: int) -> tuple[Spec, ...]:
    """The inputs of an example with N = batch, and every other name = length."""
    given = spec_of(example.input)
    specs = given if isinstance(given, tuple) else (given,)
    names = {name for s in specs for n in s.shape for name in getattr(n, "names", ())}
    return tuple(s.bind({name: batch if name == "N" else length for name in names}) for s in specs)


def _residual(t: Any) -> Any:
    class Add(t.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = t.nn.Linear(4, 4)

        def forward(self, x: Any) -> Any:
            return x + self.inner(x)

    return Add()


def _attention(*args: Any, **given: Any) -> Callable[[Any], Any]:
    """PyTorch's attention, of a sequence to itself where there is one, without the weights."""

    def twin(t: Any) -> Any:
        class Plain(t.nn.MultiheadAttention):  # type: ignore[misc,name-defined]
            def forward(self, *xs: Any) -> Any:
                return super().forward(*(xs if len(xs) > 1 else xs * 3), need_weights=False)[0]

        return Plain(*args, batch_first=True, **given)

    return twin


def _parts(t: Any, forward: Callable[..., Any], **parts: Any) -> Any:
    """A module of named parts, and what it computes of them."""
    module = type("Parts", (t.nn.Module,), {"forward": forward})()
    for name, part in parts.items():
        setattr(module, name, part)
    return module


def _add_branches(t: Any) -> Any:
    f, g = t.nn.Linear(4, 3), t.nn.Linear(4, 3, bias=False)
    return _parts(t, lambda self, x: self.f(x) + self.g(x), f=f, g=g)


def _concat(t: Any) -> Any:
    branches = t.nn.ModuleList([t.nn.Linear(4, 3), t.nn.Linear(4, 2)])
    forward = lambda self, x: t.cat([b(x) for b in self.branches], -1)  # noqa: E731
    return _parts(t, forward, branches=branches)


def _residual_block(t: Any, sizes: list[tuple[int, int, int, int]]) -> Any:
    """torchvision's blocks, by the (inputs, outputs, kernel, stride) of their convolutions."""

    def forward(self: Any, x: Any) -> Any:
        y = x
        for k in range(len(sizes)):
            y = getattr(self, f"bn{k + 1}")(getattr(self, f"conv{k + 1}")(t.relu(y) if k else y))
        return t.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))

    conv = lambda i, o, k, s: t.nn.Conv2d(i, o, k, s, k // 2, bias=False)  # noqa: E731
    parts: dict[str, Any] = {}
    for k, size in enumerate(sizes):
        parts |= {f"conv{k + 1}": conv(*size), f"bn{k + 1}": t.nn.BatchNorm2d(size[1])}
    first, last, stride = sizes[0][0], sizes[-1][1], max(size[3] for size in sizes)
    if first != last:
        skip = t.nn.Sequential(conv(first, last, 1, stride), t.nn.BatchNorm2d(last))
        parts["downsample"] = skip
    return _parts(t, forward, **parts)


TWINS: dict[str, Callable[[Any], Any]] = {
    "AddBranches": _add_branches,
    "Concat": _concat,
    "Sequential by name": lambda t: t.nn.Sequential(
        OrderedDict(hidden=t.nn.Linear(4, 3), act=t.nn.ReLU(), last=t.nn.Linear(3, 2))
    ),
    "BasicBlock": lambda t: _residual_block(t, [(2, 2, 3, 1), (2, 2, 3, 1)]),
    "BasicBlock with projection": lambda t: _residual_block(t, [(2, 4, 3, 2), (4, 4, 3, 1)]),
    "Bottleneck": lambda t: _residual_block(t, [(4, 1, 1, 1), (1, 1, 3, 1), (1, 4, 1, 1)]),
    "Bottleneck with projection": lambda t: _residual_block(
        t, [(2, 1, 1, 1), (1, 1, 3, 2), (1, 4, 1, 1)]
    ),
    "Shared": lambda t: t.nn.Linear(4, 4),
    "Residual": _residual,
    "MultiheadAttention": _attention(8, 2),
    "MultiheadAttention across": _attention(8, 2, bias=False, kdim=6, vdim=5),
}
"""Twins that are no expression, by the title of their example."""

CASES = tuple(
    Case(example, setting)
    for example in EXAMPLES
    if example.twin != "" or example.title in TWINS
    for setting in SETTINGS
    if setting.name not in example.holes
)


def inputs(case: Case) -> list[tuple[np.ndarray, ...]]:
    """The inputs of each step."""
    rng = np.random.default_rng(sum(map(ord, case.name)))
    return [
        tuple(_drawn(case, spec, rng) for spec in case.specs)
        for _ in range(max(case.example.steps, 1))
    ]


def _drawn(case: Case, spec: Spec, rng: np.random.Generator) -> np.ndarray:
    if spec.dtype == "bool":
        return rng.uniform(size=spec.shape) < 0.7
    if spec.dtype.startswith("int"):
        return rng.integers(0, case.example.below, spec.shape).astype(spec.dtype)
    return (rng.standard_normal(spec.shape) * case.setting.scale).astype(spec.dtype)


def values(shapes: dict[str, tuple[int, ...]]) -> Arrays:
    """Weights and state for arrays of these names and shapes; variances are positive."""
    rng = np.random.default_rng(7)
    found = {n: rng.standard_normal(s).astype(np.float32) for n, s in sorted(shapes.items())}
    return {n: np.abs(x) + 0.5 if n.endswith("var") else x for n, x in found.items()}


def probe(shape: tuple[int, ...]) -> np.ndarray:
    """The weights with which an output is summed before the gradient."""
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


def leaves(tree: Any) -> Iterator[Any]:
    """The arrays of a tree of tuples, as both sides return them."""
    if isinstance(tree, tuple | list):
        for part in tree:
            yield from leaves(part)
    elif tree is not None:
        yield tree


def _twin(case: Case, torch: Any) -> Any:
    example = case.example
    if example.title in TWINS:
        return TWINS[example.title](torch)
    return eval(repr(example.layer) if example.twin is None else example.twin, vars(torch.nn))


def torch_results(case: Case, torch: Any) -> Arrays:
    """What PyTorch computes: outputs, gradients, and the state after the last step."""
    module = _twin(case, torch)
    counters = [n for n in module.state_dict() if n.endswith("num_batches_tracked")]
    shapes = {n: tuple(a.shape) for n, a in module.state_dict().items() if n not in counters}
    state = {n: torch.tensor(a) for n, a in values(shapes).items()}
    module.load_state_dict({**state, **{n: torch.tensor(0) for n in counters}})
    module.train(case.example.steps > 0)
    for arrays in inputs(case):
        module.zero_grad()
        xs = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
        ys = list(leaves(module(*(x.long() if x.dtype == torch.int32 else x for x in xs))))
    total = sum((y * torch.tensor(probe(tuple(y.shape)))).sum() for y in ys if y.requires_grad)
    total.backward()
    return {
        **{f"y{i}": y.detach().numpy() for i, y in enumerate(ys)},
        **{f"dx{i}": x.grad.numpy() for i, x in enumerate(xs) if x.grad is not None},
        **{f"d.{n}": p.grad.numpy() for n, p in module.named_parameters()},
        **{f"state.{n}": b.numpy() for n, b in module.named_buffers()},
    }


def our_results(case: Case) -> Arrays:
    """What tensorem computes, under the same names."""
    steps, layer = inputs(case), case.example.layer
    model = nn.build(layer, case.specs)
    counters = [n for n in model.buffers if n.endswith("num_batches_tracked")]
    shapes = {n: a.shape for n, a in model.state_dict().items() if n not in counters}
    model = model.load_state_dict({**values(shapes), **{n: np.int64(0) for n in counters}})
    ctx = nn.Context(training=case.example.steps > 0)
    wanted = tuple(i for i, x in enumerate(steps[0]) if x.dtype.kind == "f")

    def total(params: Any, floats: Any, buffers: Any, xs: Any) -> Any:
        xs = [floats.get(i, x) for i, x in enumerate(xs)]
        y, after = layer.call((params, buffers), *xs, ctx=ctx)
        ys = list(leaves(y))
        shares = [(v * probe(v.shape)).sum() for v in ys if v.dtype.kind == "f"]
        return sum(shares), (ys, after)

    run, buffers = jax.jit(jax.grad(total, (0, 1), has_aux=True)), dict(model.buffers)
    for xs in steps:
        floats = {i: xs[i] for i in wanted}
        (grads, dxs), (ys, buffers) = run(dict(model.params), floats, buffers, xs)
    return {
        **{f"y{i}": y for i, y in enumerate(ys)},
        **{f"dx{i}": dx for i, dx in dxs.items()},
        **{f"d.{n}": g for n, g in grads.items()},
        **{f"state.{n}": b for n, b in buffers.items()},
    }
