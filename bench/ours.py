"""tensorem, through `train.fit` alone."""

from __future__ import annotations

from typing import Any

from bench.networks.ours import LOSSES, model
from bench.workloads import Tick, Workload
from tensorem import optim, train


def fit(work: Workload, tick: Tick, **more: Any) -> None:
    """Train for ever; a callback is told of each epoch."""
    callbacks = more.pop("callbacks", ())
    given = {
        "data": (work.x, work.y), "loss": LOSSES.get(work.kind, "cross_entropy"),
        "optimizer": optim.adam(1e-3), "epochs": 1 << 30, "batch_size": work.batch,
        "progress": "none",
    }  # fmt: skip
    told = train.on_epoch_end(lambda _: told_of(tick, work))
    train.fit(model(work.kind), **given | more, callbacks=(*callbacks, told))


def told_of(tick: Tick, work: Workload) -> None:
    """Tell of an epoch; a callback gives nothing."""
    tick(work.steps)
