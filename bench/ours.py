"""tensorem, through `train.fit` alone."""

from __future__ import annotations

from bench.networks.ours import model
from bench.workloads import Tick, Workload
from tensorem import optim, train


def fit(work: Workload, tick: Tick) -> None:
    """Train for ever; a callback is told of each epoch."""
    train.fit(
        model(work.kind), (work.x, work.y), loss="cross_entropy", optimizer=optim.adam(1e-3),
        epochs=1 << 30, batch_size=work.batch, progress="none",
        callbacks=train.on_epoch_end(lambda _: tick(work.steps)),
    )  # fmt: skip
