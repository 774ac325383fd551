"""PyTorch, eager or compiled: data permuted once per epoch, batches as views."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from bench.networks.pytorch import COMPILED, LOSSES, NETWORKS
from bench.process import THREADS
from bench.workloads import Tick, Workload


def train(
    work: Workload,
    tick: Tick,
    fused: bool = False,
    channels_last: bool = False,
    compiled: bool = False,
) -> None:
    """Train for ever."""
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    model, x = NETWORKS[work.kind](), torch.tensor(work.x)
    if channels_last:
        model, x = model.to(memory_format=torch.channels_last), _channels_last(x)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused or None)
    y = torch.tensor(work.y)
    y = y if y.is_floating_point() else y.long()
    loss_of = partial((COMPILED if compiled else LOSSES)[work.kind], model)
    loss_of = torch.compile(loss_of) if compiled else loss_of
    for epoch in range(1 << 30):
        losses = []
        for inputs, targets in _batches(x, y, work, epoch):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(inputs, targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        torch.stack(losses).numpy()
        tick(work.steps)


def _channels_last(x: Any) -> Any:
    return x.contiguous(memory_format=torch.channels_last)


def _batches(x: Any, y: Any, work: Workload, epoch: int) -> Iterator[tuple[Any, Any]]:
    rows = torch.from_numpy(work.order(epoch).reshape(-1)).long()
    return zip(x[rows].split(work.batch), y[rows].split(work.batch), strict=True)
