"""Milliseconds to bound one box by CROWN and to check its certificate, beside auto_LiRPA."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.interleave import Quartiles, in_turns, quartiles, seconds_of

EPS = 0.001
LABELS = 10


@dataclass(frozen=True)
class Bounding:
    """One network on one input of uniform noise, interleaved.

    Args:
        net: Its name.
        first: Seconds of the first bound, what is to be compiled included.
        ours: Milliseconds of a bound, compiled.
        theirs: The same of auto_LiRPA; None where it is not installed.
        checking: The same of the checker; None where nothing was proved.
        margins: The least margins that ours and theirs found.
    """

    net: str
    first: float
    ours: Quartiles
    theirs: Quartiles | None
    checking: Quartiles | None
    margins: tuple[float, float | None]


def bounding(names: Iterable[str], rounds: int) -> Iterator[Bounding]:
    """Every network of `NETS` that is named, one after the other."""
    from tensorem import runtime

    runtime.prepare()
    for name in names:
        yield _measured(name, rounds)


def _mlp(nn: Any, *sizes: int) -> Any:
    layers = [
        layer for pair in itertools.pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())
    ]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], LABELS))


def _convolutions(nn: Any, *layers: Any) -> Any:
    tail = nn.Flatten(), nn.Linear(32 * 7 * 7, 100), nn.ReLU(), nn.Linear(100, LABELS)
    return nn.Sequential(*layers, *tail)


def _strided(nn: Any) -> Any:
    convs = nn.Conv2d(1, 16, 4, stride=2, padding=1), nn.Conv2d(16, 32, 4, stride=2, padding=1)
    return _convolutions(nn, convs[0], nn.ReLU(), convs[1], nn.ReLU())


def _pooled(nn: Any) -> Any:
    convs = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
    return _convolutions(
        nn, convs[0], nn.ReLU(), nn.MaxPool2d(2), convs[1], nn.ReLU(), nn.MaxPool2d(2)
    )


NETS: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "perceptron 256x2": (lambda nn: _mlp(nn, 784, 256, 256), (784,)),
    "two strided convolutions": (_strided, (1, 28, 28)),
    "two convolutions with max pooling": (_pooled, (1, 28, 28)),
    "16 layers of 50": (lambda nn: _mlp(nn, *(50,) * 17), (50,)),
    "64 layers of 50": (lambda nn: _mlp(nn, *(50,) * 65), (50,)),
}


def _measured(name: str, rounds: int) -> Bounding:
    from tensorem import nn, verify

    make, shape = NETS[name]
    x = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
    model = nn.build(make(nn), ("N", *shape), seed=0)
    label = int(np.argmax(np.asarray(model(x[None]))))
    prover = verify.Prover.of(model)
    found: dict[str, float] = {}

    def ours() -> None:
        found["ours"] = float(prover.margins(x[None], [label], EPS)[0])

    first = seconds_of(ours)
    works = {"ours": ours}
    if importlib.util.find_spec("auto_LiRPA"):
        theirs = _lirpa(make, model, x, label)
        works["theirs"] = lambda: found.update(theirs=theirs())
    proof = prover.robust(x, label, EPS)
    if proof.verdict == "proved":
        works["checking"] = lambda: found.update(checked=proof.check())
    times = {
        name: quartiles([1e3 * s for s in seconds])
        for name, seconds in in_turns(works, rounds).items()
    }
    return Bounding(
        name,
        first,
        times["ours"],
        times.get("theirs"),
        times.get("checking"),
        (found["ours"], found.get("theirs")),
    )


def _lirpa(make: Callable[[Any], Any], model: Any, x: Any, label: int) -> Callable[[], float]:
    """The same bound by auto_LiRPA: the network in PyTorch with the weights of ours."""
    import torch
    from auto_LiRPA import BoundedModule, BoundedTensor, PerturbationLpNorm

    net = make(torch.nn)
    net.load_state_dict({k: torch.tensor(np.asarray(v)) for k, v in model.state_dict().items()})
    image = torch.tensor(x)[None]
    bounded = BoundedModule(net.eval(), image, device="cpu")
    others = [j for j in range(LABELS) if j != label]
    rows = torch.eye(LABELS)[[label]] - torch.eye(LABELS)[others]
    box = BoundedTensor(image, PerturbationLpNorm(norm=np.inf, eps=EPS))

    def least() -> float:
        with torch.no_grad():
            low, _ = bounded.compute_bounds(
                x=(box,), C=rows[None], method="CROWN", bound_upper=False
            )
        return float(low.min())

    return least
