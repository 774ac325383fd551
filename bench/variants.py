"""Everything that is measured against each other, by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from bench.workloads import Tick, Workload
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
    """

    fused: bool
    channels_last: bool
    keeps_memory: bool

    @property
    def name(self) -> str:
        parts = (self.fused, "fused"), (self.channels_last, "NHWC"), (self.keeps_memory, "mallopt")
        return " ".join(["PyTorch", *(word for chosen, word in parts if chosen)])

    def train(self, work: Workload, tick: Tick) -> None:
        """Train for ever."""
        if self.keeps_memory:
            runtime.keep_freed_memory()
        from bench.pytorch import train

        train(work, tick, self.fused, self.channels_last)


def variants(kind: str) -> dict[str, Train]:
    """All variants of a kind of workload, ours first; PyTorch's only where it is installed."""
    layouts = (False,) if kind == "mlp" else (False, True)
    torches = [
        PyTorch(fused, layout, memory)
        for fused in (False, True)
        for layout in layouts
        for memory in (False, True)
    ]
    jax: dict[str, Train] = {OURS: _ours, BY_HAND: _by_hand}
    installed = find_spec("torch") is not None
    return jax | ({torch.name: torch.train for torch in torches} if installed else {})


def _ours(work: Workload, tick: Tick) -> None:
    from bench.ours import fit

    fit(work, tick)


def _by_hand(work: Workload, tick: Tick) -> None:
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {runtime.XLA_FLAG}".strip()
    runtime.keep_freed_memory()
    from bench.handwritten import cnn, mlp

    (mlp if work.kind == "mlp" else cnn).train(work, tick)
