"""A denoiser of images in PyTorch: a U-Net of two levels whose blocks see the step."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

STEPS = 1000


class Denoiser(nn.Module):
    """Ho et al. 2020, algorithm 1: noise of a random step is put on, and said again."""

    def __init__(self) -> None:
        super().__init__()
        kept = torch.cumprod(1 - torch.linspace(1e-4, 0.02, STEPS), 0)
        self.register_buffer("kept", kept, persistent=False)
        self.time = nn.Sequential(nn.Linear(128, 128), nn.SiLU(), nn.Linear(128, 128))
        self.enter, self.leave = nn.Conv2d(1, 32, 3, padding=1), nn.Conv2d(32, 1, 3, padding=1)
        self.down, self.below, self.join = _Block(32, 32), _Block(32, 64), _Block(64, 32)
        self.up, self.norm = nn.ConvTranspose2d(64, 32, 2, 2), nn.GroupNorm(8, 32)

    def forward(self, x: Any) -> tuple[Any, Any]:
        t, noise = torch.randint(0, STEPS, (len(x),)), torch.randn_like(x)
        a = self.kept[t][:, None, None, None]  # type: ignore[index]
        return self._said(a.sqrt() * x + (1 - a).sqrt() * noise, t), noise

    def _said(self, x: Any, t: Any) -> Any:
        angles = t[:, None] * torch.exp(torch.arange(64) * (-math.log(10000) / 64))
        e = F.silu(self.time(torch.cat([angles.sin(), angles.cos()], 1)))
        x = self.down(self.enter(x), e)
        y = self.up(self.below(F.avg_pool2d(x, 2), e))
        y = self.join(torch.cat([x, y], 1), e)
        return self.leave(F.silu(self.norm(y)))


class _Block(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, before), nn.GroupNorm(8, after)
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.time = nn.Linear(128, after)
        self.skip = nn.Identity() if before == after else nn.Conv2d(before, after, 1)

    def forward(self, x: Any, e: Any) -> Any:
        h = self.conv1(F.silu(self.norm1(x))) + self.time(e)[:, :, None, None]
        return self.skip(x) + self.conv2(F.silu(self.norm2(h)))


def missed(model: Any, x: Any, _: Any) -> Any:
    """The mean squared error of the noise."""
    return F.mse_loss(*model(x))
