"""The two workloads in PyTorch, eager: data permuted once per epoch, batches as views."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from bench.process import THREADS
from bench.workloads import Tick, Workload


def train(work: Workload, tick: Tick, fused: bool = False, channels_last: bool = False) -> None:
    """Train for ever."""
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    model, x = _model(work.kind), torch.tensor(work.x)
    if channels_last:
        model, x = model.to(memory_format=torch.channels_last), _channels_last(x)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused or None)
    loss_of, y = nn.CrossEntropyLoss(), torch.tensor(work.y).long()
    for epoch in range(1 << 30):
        losses = []
        for inputs, targets in _batches(x, y, work, epoch):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model(inputs), targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        torch.stack(losses).numpy()
        tick(work.steps)


def _model(kind: str) -> Any:
    if kind == "mlp":
        return nn.Sequential(
            nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
        )
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(256, 10),
    )  # fmt: skip


def _channels_last(x: Any) -> Any:
    return x.contiguous(memory_format=torch.channels_last)


def _batches(x: Any, y: Any, work: Workload, epoch: int) -> Iterator[tuple[Any, Any]]:
    rows = torch.from_numpy(work.order(epoch).reshape(-1)).long()
    return zip(x[rows].split(work.batch), y[rows].split(work.batch), strict=True)
