"""Everything that is measured against each other, by name."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from bench.workloads import FAMILIES, Tick, Workload
from tensorem import runtime

Train = Callable[[Workload, Tick], None]

OURS, BY_HAND = "tensorem", "JAX by hand"


@dataclass(frozen=True)
class PyTorch:
    """One way to run PyTorch.

    Args:
        fused: Whether its optimizer is the fused one.
        channels_last: Whether images lie as NHWC.
        keeps_memory: Whether the allocator keeps what is freed, as in `tensorem.runtime`.
        compiled: Whether model and loss go through `torch.compile`, which takes a C++ compiler.
    """

    fused: bool
    channels_last: bool
    keeps_memory: bool
    compiled: bool = False

    @property
    def name(self) -> str:
        parts = (
            (self.fused, "fused"), (self.channels_last, "NHWC"), (self.keeps_memory, "mallopt"),
            (self.compiled, "compile"),
        )  # fmt: skip
        return " ".join(["PyTorch", *(word for chosen, word in parts if chosen)])

    def train(self, work: Workload, tick: Tick) -> None:
        """Train for ever."""
        if self.keeps_memory:
            runtime.keep_freed_memory()
        from bench.pytorch import train

        train(work, tick, self.fused, self.channels_last, self.compiled)


def variants(kind: str) -> dict[str, Train]:
    """All variants of a kind of workload, ours first; PyTorch's only where it is installed."""
    jax: dict[str, Train] = {OURS: _ours, BY_HAND: _by_hand}
    installed = find_spec("torch") is not None
    return jax | ({torch.name: torch.train for torch in _torches(kind)} if installed else {})


def _torches(kind: str) -> list[PyTorch]:
    family = FAMILIES[kind]
    layouts = (False, True) if family.images else (False,)
    compiler = shutil.which(os.environ.get("CXX", "g++")) is not None and kind not in _UNROLLED
    compiled = [PyTorch(True, layout, True, True) for layout in layouts if compiler]
    choices = (False, True) if family.small else (True,)
    eager = itertools.product(choices, layouts, choices)
    return [PyTorch(*chosen) for chosen in eager] + compiled


_UNROLLED = ("ssm",)
"""A loop in Python of so many turns that torch.compile, which writes it out, takes minutes."""


def _ours(work: Workload, tick: Tick) -> None:
    from bench.ours import fit

    fit(work, tick)


def _by_hand(work: Workload, tick: Tick) -> None:
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {runtime.XLA_FLAG}".strip()
    runtime.keep_freed_memory()
    from bench.handwritten import NETWORKS

    NETWORKS[work.kind](work, tick)
