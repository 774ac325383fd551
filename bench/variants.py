"""Everything that is measured against each other, by name."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import cast

from bench.workloads import FAMILIES, Tick, Workload, kind_of, workload
from tensorem import runtime

Train = Callable[[Workload, Tick], None]
Run = Callable[[Tick], None]
"""It works for ever, and tells of every epoch."""

OURS, BY_HAND, PYTORCH = "tensorem", "JAX by hand", "PyTorch"


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
        return " ".join([PYTORCH, *(word for chosen, word in parts if chosen)])

    def train(self, work: Workload, tick: Tick) -> None:
        """Train for ever."""
        if self.keeps_memory:
            runtime.keep_freed_memory()
        from bench.pytorch import train

        train(work, tick, self.fused, self.channels_last, self.compiled)


@dataclass(frozen=True)
class Peer:
    """One way to run a library on JAX, as an engineer uses it who tunes the process as we do.

    Args:
        package: `flax` or `equinox`, which is the name of a module of `bench.peers` too.
        name: What it is called.
        epochs: Whether a call is an epoch, a loop of `lax.scan`, and not a step.
    """

    package: str
    name: str
    epochs: bool

    def train(self, work: Workload, tick: Tick) -> None:
        """Train for ever."""
        _tune()
        import_module(f"bench.peers.{self.package}").train(work, tick, self.epochs)


def runs(group: str) -> dict[str, Run]:
    """Everything that works in a group, by name: on a workload, by `fit`, or call by call."""
    part, _, work = group.rpartition(" ")
    if part == "fit":
        from bench.loops import fits

        return {name: partial(train, workload(work)) for name, train in fits().items()}
    if group in ("layers", "generation"):
        return cast(dict[str, Run], import_module(f"bench.{group}").sides())
    trains = variants(kind_of(group))
    return {name: partial(train, workload(group)) for name, train in trains.items()}


def variants(kind: str) -> dict[str, Train]:
    """All variants of a kind of workload, ours first; of a peer only where it is installed."""
    jax: dict[str, Train] = {OURS: _ours, BY_HAND: _by_hand}
    peers = {peer.name: peer.train for peer in _peers(kind) if is_installed(peer.package)}
    torches = {torch.name: torch.train for torch in _torches(kind)} if is_installed("torch") else {}
    return {**jax, **peers, **torches}


def is_installed(package: str) -> bool:
    """Whether a package is there, without loading it."""
    return find_spec(package) is not None


def absent() -> tuple[str, ...]:
    """The peers that are not installed."""
    return tuple(name for name in ("torch", "flax", "equinox") if not is_installed(name))


def _peers(kind: str) -> list[Peer]:
    if kind not in _PEERS:
        return []
    ways = (False,) if FAMILIES[kind].images and kind != "cnn" else (False, True)
    return [
        Peer(package, f"{name} scan" if epochs else name, epochs)
        for package, name in (("flax", "Flax NNX"), ("equinox", "Equinox"))
        for epochs in ways
    ]


_PEERS = ("mlp", "cnn", "color", "resnet", "vit", "gpt", "lstm", "pinn")
"""What is written for other libraries on JAX. Convolutions of many channels are slow in a loop."""


def _torches(kind: str) -> list[PyTorch]:
    family = FAMILIES[kind]
    layouts = (False, True) if family.images else (False,)
    compiler = has_compiler() and kind not in _UNROLLED
    compiled = [PyTorch(True, layout, True, True) for layout in layouts if compiler]
    choices = (False, True) if family.small else (True,)
    eager = itertools.product(choices, layouts, choices)
    return [PyTorch(*chosen) for chosen in eager] + compiled


def has_compiler() -> bool:
    """Whether there is the C++ compiler that torch.compile takes."""
    return shutil.which(os.environ.get("CXX", "g++")) is not None


_UNROLLED = ("ssm",)
"""A loop in Python of so many turns that torch.compile, which writes it out, takes minutes."""


def _ours(work: Workload, tick: Tick) -> None:
    from bench.ours import fit

    fit(work, tick)


def _tune() -> None:
    """The settings that tensorem makes for itself, for others on JAX."""
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {runtime.XLA_FLAG}".strip()
    runtime.keep_freed_memory()


def _by_hand(work: Workload, tick: Tick) -> None:
    _tune()
    from bench.handwritten import NETWORKS

    NETWORKS[work.kind](work, tick)
