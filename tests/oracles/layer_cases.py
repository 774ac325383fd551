"""The layers that are compared with PyTorch, and how: one table, one way to run each side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorem import nn

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """One comparison: our layer, PyTorch's, the shape of the input, the form of run."""

    name: str
    ours: nn.Layer
    torch: Callable[[Any], Any]
    shape: tuple[int, ...]
    steps: int = 0
    """Training steps; 0 for evaluation."""
    rows: int = 0
    """Above 0 the input is indices below it."""


def _double(t: Any) -> Any:
    class Add(t.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = t.nn.Linear(4, 4)

        def forward(self, x: Any) -> Any:
            return x + self.inner(x)

    return Add()


CNN = nn.Sequential(
    nn.Conv2d(1, 4, 3, padding=1, bias=False),
    nn.BatchNorm2d(4),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(4 * 3 * 3, 5),
)


def _cnn(t: Any) -> Any:
    return t.nn.Sequential(
        t.nn.Conv2d(1, 4, 3, padding=1, bias=False),
        t.nn.BatchNorm2d(4),
        t.nn.ReLU(),
        t.nn.MaxPool2d(2),
        t.nn.Flatten(),
        t.nn.Linear(4 * 3 * 3, 5),
    )


CASES = (
    Case("linear", nn.Linear(5, 3), lambda t: t.nn.Linear(5, 3), (4, 5)),
    Case("linear 3d", nn.Linear(5, 3, False), lambda t: t.nn.Linear(5, 3, False), (2, 4, 5)),
    Case("conv2d", nn.Conv2d(2, 3, 3), lambda t: t.nn.Conv2d(2, 3, 3), (2, 2, 6, 5)),
    Case(
        "conv2d all",
        nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 2), (1, 2), 2, bias=False),
        lambda t: t.nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 2), (1, 2), 2, bias=False),
        (2, 4, 7, 6),
    ),
    Case(
        "conv2d same",
        nn.Conv2d(1, 2, 3, padding="same", dilation=2),
        lambda t: t.nn.Conv2d(1, 2, 3, padding="same", dilation=2),
        (1, 1, 6, 6),
    ),
    Case(
        "conv2d uneven same",
        nn.Conv2d(2, 3, (2, 4), padding="same", dilation=(1, 3)),
        lambda t: t.nn.Conv2d(2, 3, (2, 4), padding="same", dilation=(1, 3)),
        (2, 2, 6, 7),
    ),
    *(
        Case(
            f"conv2d {mode}",
            nn.Conv2d(2, 4, 3, 2, (2, 1), 1, 2, True, mode),
            lambda t, mode=mode: t.nn.Conv2d(2, 4, 3, 2, (2, 1), 1, 2, True, mode),
            (2, 2, 7, 6),
        )
        for mode in ("zeros", "reflect", "replicate", "circular")
    ),
    Case(
        "conv2d uneven same circular",
        nn.Conv2d(1, 2, (2, 4), padding="same", padding_mode="circular"),
        lambda t: t.nn.Conv2d(1, 2, (2, 4), padding="same", padding_mode="circular"),
        (1, 5, 6),
    ),
    Case("conv2d one image", nn.Conv2d(2, 3, 2), lambda t: t.nn.Conv2d(2, 3, 2), (2, 4, 4)),
    Case("max pool", nn.MaxPool2d(2), lambda t: t.nn.MaxPool2d(2), (2, 3, 6, 4)),
    Case(
        "max pool overlapping",
        nn.MaxPool2d(3, stride=2, padding=1),
        lambda t: t.nn.MaxPool2d(3, stride=2, padding=1),
        (2, 2, 7, 6),
    ),
    Case("max pool odd", nn.MaxPool2d((2, 3)), lambda t: t.nn.MaxPool2d((2, 3)), (2, 5, 7)),
    *(
        Case(
            f"max pool {words}",
            nn.MaxPool2d(*window, ceil_mode=ceil_mode),
            lambda t, window=window, ceil_mode=ceil_mode: t.nn.MaxPool2d(
                *window, ceil_mode=ceil_mode
            ),
            shape,
        )
        for words, window, ceil_mode, shape in (
            ("dilated", (3, 1, 1, 2), False, (2, 2, 7, 6)),
            ("dilated unevenly", ((2, 3), (1, 2), (1, 0), (3, 2)), False, (2, 2, 7, 8)),
            ("ceil", (2,), True, (2, 3, 7, 5)),
            ("ceil padded", (3, 2, 1), True, (2, 2, 6, 7)),
            ("ceil with the last window left out", (2, 3, 1), True, (1, 2, 5, 4)),
            ("ceil dilated", ((3, 2), (2, 3), (1, 1), (2, 3)), True, (2, 2, 8, 9)),
            ("ceil larger than the image", (3, 2), True, (1, 2, 2, 3)),
        )
    ),
    Case("avg pool", nn.AvgPool2d(2), lambda t: t.nn.AvgPool2d(2), (2, 3, 4, 4)),
    Case(
        "avg pool padded",
        nn.AvgPool2d(3, stride=1, padding=1),
        lambda t: t.nn.AvgPool2d(3, stride=1, padding=1),
        (1, 2, 4, 5),
    ),
    *(
        Case(
            f"avg pool {words}",
            nn.AvgPool2d(*window),
            lambda t, window=window: t.nn.AvgPool2d(*window),
            shape,
        )
        for words, window, shape in (
            ("ceil", (2, None, 0, True), (2, 3, 5, 7)),
            ("ceil padded", (3, 2, 1, True), (2, 2, 6, 7)),
            ("ceil padded, padding not counted", (3, 2, 1, True, False), (2, 2, 6, 7)),
            ("ceil, a step beyond the window", (2, 3, 1, True), (2, 4, 5)),
            ("padding not counted", ((3, 2), (1, 2), 1, False, False), (2, 2, 4, 5)),
            ("divisor", (2, 1, 1, False, True, 3), (1, 2, 4, 4)),
            ("divisor of all", (3, 2, (0, 1), True, False, 7), (1, 2, 6, 5)),
        )
    ),
    Case("flatten", nn.Flatten(), lambda t: t.nn.Flatten(), (2, 3, 4)),
    Case("flatten middle", nn.Flatten(1, 2), lambda t: t.nn.Flatten(1, 2), (2, 3, 4, 5)),
    Case("relu", nn.ReLU(), lambda t: t.nn.ReLU(), (3, 4)),
    Case("leaky relu", nn.LeakyReLU(0.2), lambda t: t.nn.LeakyReLU(0.2), (3, 4)),
    Case("sigmoid", nn.Sigmoid(), lambda t: t.nn.Sigmoid(), (3, 4)),
    Case("tanh", nn.Tanh(), lambda t: t.nn.Tanh(), (3, 4)),
    Case("softplus", nn.Softplus(), lambda t: t.nn.Softplus(), (3, 4)),
    Case("softplus steep", nn.Softplus(3.5), lambda t: t.nn.Softplus(3.5), (3, 4)),
    Case("softmax", nn.Softmax(1), lambda t: t.nn.Softmax(1), (2, 5, 3)),
    Case("identity", nn.Identity(), lambda t: t.nn.Identity(), (3, 4)),
    Case("dropout eval", nn.Dropout(0.3), lambda t: t.nn.Dropout(0.3), (3, 4)),
    Case("layer norm", nn.LayerNorm(6), lambda t: t.nn.LayerNorm(6), (2, 3, 6)),
    Case(
        "layer norm 2d",
        nn.LayerNorm((3, 6), eps=1e-3, bias=False),
        lambda t: t.nn.LayerNorm((3, 6), eps=1e-3, bias=False),
        (2, 3, 6),
    ),
    Case("embedding", nn.Embedding(7, 3), lambda t: t.nn.Embedding(7, 3), (2, 4), rows=7),
    Case(
        "embedding with padding",
        nn.Embedding(4, 3, -2),
        lambda t: t.nn.Embedding(4, 3, -2),
        (3, 4),
        rows=4,
    ),
    Case("batch norm eval", nn.BatchNorm2d(3), lambda t: t.nn.BatchNorm2d(3), (2, 3, 4, 2)),
    Case("batch norm", nn.BatchNorm2d(3), lambda t: t.nn.BatchNorm2d(3), (2, 3, 4, 2), steps=3),
    Case(
        "batch norm plain mean",
        nn.BatchNorm2d(3, momentum=None, affine=False),
        lambda t: t.nn.BatchNorm2d(3, momentum=None, affine=False),
        (2, 3, 2, 2),
        steps=3,
    ),
    Case(
        "batch norm untracked",
        nn.BatchNorm2d(3, track_running_stats=False),
        lambda t: t.nn.BatchNorm2d(3, track_running_stats=False),
        (2, 3, 2, 2),
    ),
    Case("residual", nn.Residual(nn.Linear(4, 4)), _double, (3, 4)),
    Case("cnn", CNN, _cnn, (4, 1, 6, 6), steps=2),
)


def inputs(case: Case) -> list[np.ndarray]:
    """The input of each step."""
    rng = np.random.default_rng(len(case.name) * 1000 + sum(case.shape))
    draws = [rng.standard_normal(case.shape) for _ in range(max(case.steps, 1))]
    if case.rows:
        return [np.abs(x * 10).astype(np.int32) % case.rows for x in draws]
    return [x.astype(np.float32) for x in draws]


def values(shapes: dict[str, tuple[int, ...]]) -> Arrays:
    """Weights and state for arrays of these names and shapes; variances are positive."""
    rng = np.random.default_rng(7)
    found = {n: rng.standard_normal(s).astype(np.float32) for n, s in sorted(shapes.items())}
    return {n: np.abs(x) + 0.5 if n.endswith("var") else x for n, x in found.items()}


def probe(shape: tuple[int, ...]) -> np.ndarray:
    """The weights with which the output is summed before the gradient."""
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


def torch_results(case: Case, torch: Any) -> Arrays:
    """What PyTorch computes: output, gradients, and the state after the last step."""
    module = case.torch(torch)
    counters = [n for n in module.state_dict() if n.endswith("num_batches_tracked")]
    shapes = {n: tuple(a.shape) for n, a in module.state_dict().items() if n not in counters}
    state = {n: torch.tensor(a) for n, a in values(shapes).items()}
    module.load_state_dict({**state, **{n: torch.tensor(0) for n in counters}})
    module.train(case.steps > 0)
    for array in inputs(case):
        module.zero_grad()
        x = torch.tensor(array, requires_grad=not case.rows)
        y = module(x.long() if case.rows else x)
    (y * torch.tensor(probe(tuple(y.shape)))).sum().backward()
    grads = {f"d.{n}": p.grad.numpy() for n, p in module.named_parameters()}
    after = {f"state.{n}": b.numpy() for n, b in module.named_buffers()}
    dx = {} if case.rows else {"dx": x.grad.numpy()}
    return {"y": y.detach().numpy(), **dx, **grads, **after}
