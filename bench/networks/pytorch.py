"""The networks in PyTorch, each written for its speed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from bench.networks import denoiser


class Layer(nn.Module):
    """A pre-norm layer of a transformer; attention in PyTorch's fused form."""

    def __init__(self, causal: bool, wide: int = 128) -> None:
        super().__init__()
        self.causal = causal
        self.norm1, self.norm2 = nn.LayerNorm(wide), nn.LayerNorm(wide)
        self.qkv, self.out = nn.Linear(wide, 3 * wide), nn.Linear(wide, wide)
        self.up, self.down = nn.Linear(wide, 4 * wide), nn.Linear(4 * wide, wide)

    def forward(self, x: Any) -> Any:
        n, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, t, 3, 4, d // 4).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.out(y.transpose(1, 2).reshape(n, t, d))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    """Tokens with learnt places through layers; the mean token where it classifies."""

    def __init__(self, start: nn.Module, places: int, depth: int, classes: int) -> None:
        super().__init__()
        self.start, self.causal = start, isinstance(start, nn.Embedding)
        self.place = nn.Parameter(0.02 * torch.randn(places, 128))
        self.layers = nn.Sequential(*(Layer(self.causal) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(128), nn.Linear(128, classes)

    def forward(self, x: Any) -> Any:
        x = self.start(x)
        x = x if self.causal else x.flatten(2).transpose(1, 2)
        x = self.norm(self.layers(x + self.place))
        return self.head(x if self.causal else x.mean(1))


class Block(nn.Module):
    """He et al. 2015, the basic block."""

    def __init__(self, before: int, now: int, stride: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(before, now, 3, stride, 1, bias=False), nn.BatchNorm2d(now), nn.ReLU(True),
            nn.Conv2d(now, now, 3, 1, 1, bias=False), nn.BatchNorm2d(now),
        )  # fmt: skip
        skip = nn.Conv2d(before, now, 1, stride, bias=False), nn.BatchNorm2d(now)
        self.skip = nn.Identity() if before == now else nn.Sequential(*skip)

    def forward(self, x: Any) -> Any:
        return F.relu(self.main(x) + self.skip(x), inplace=True)


class Last(nn.Module):
    """The last step of a recurrence, then a linear map."""

    def __init__(self, recurrent: nn.Module) -> None:
        super().__init__()
        self.recurrent, self.head = recurrent, nn.Linear(128, 10)

    def forward(self, x: Any) -> Any:
        return self.head(self.recurrent(x)[0][:, -1])


class Ssm(nn.Module):
    """The block of the Mamba paper in plain operations: coefficients at once, then a loop."""

    def __init__(self) -> None:
        super().__init__()
        inner, state, self.rank = 128, 16, 4
        self.into, self.out = nn.Linear(64, 256, bias=False), nn.Linear(inner, 64, bias=False)
        self.conv = nn.Conv1d(inner, inner, 4, groups=inner, padding=3)
        self.project = nn.Linear(inner, self.rank + 2 * state, bias=False)
        self.step = nn.Linear(self.rank, inner)
        steps = torch.exp(torch.empty(inner).uniform_(math.log(0.001), math.log(0.1)))
        nn.init.constant_(self.step.bias, 0).data.add_(steps + torch.log(-torch.expm1(-steps)))
        self.log = nn.Parameter(torch.arange(1.0, state + 1).log().repeat(inner, 1))
        self.skip, self.head = nn.Parameter(torch.ones(inner)), nn.Linear(64, 10)

    def forward(self, x: Any) -> Any:
        x, z = self.into(x).chunk(2, -1)
        x = F.silu(self.conv(x.transpose(1, 2))[..., :256].transpose(1, 2))
        step, b, c = self.project(x).split((self.rank, 16, 16), -1)
        step = F.softplus(self.step(step))
        factors = torch.exp(step[..., None] * -self.log.exp())
        terms = (step * x)[..., None] * b[:, :, None]
        y = torch.einsum("ntdk,ntk->ntd", _scan(factors, terms), c) + self.skip * x
        return self.head(self.out(y * F.silu(z)).mean(1))


def _scan(factors: Any, terms: Any) -> Any:
    h, found = torch.zeros_like(terms[:, 0]), []
    for factor, term in zip(factors.unbind(1), terms.unbind(1), strict=True):
        h = torch.addcmul(term, factor, h)
        found.append(h)
    return torch.stack(found, 1)


class Mae(nn.Module):
    """A masked autoencoder (He et al. 2022): 16 of 64 patches are seen, the others said."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.bridge, self.head = (
            nn.Linear(48, 128),
            nn.Linear(128, 64),
            nn.Linear(64, 48),
        )
        self.place = nn.Parameter(0.02 * torch.randn(64, 128))
        self.place_out = nn.Parameter(0.02 * torch.randn(64, 64))
        self.hole = nn.Parameter(torch.randn(1, 1, 64))
        self.encoder = nn.Sequential(*(Layer(False) for _ in range(4)), nn.LayerNorm(128))
        self.decoder = nn.Sequential(*(Layer(False, 64) for _ in range(2)), nn.LayerNorm(64))

    def forward(self, x: Any) -> Any:
        n = len(x)
        cut = x.view(n, 3, 8, 4, 8, 4).permute(0, 2, 4, 3, 5, 1).reshape(n, 64, 48)
        order = torch.rand(n, 64).argsort(1)
        seen = self.bridge(self.encoder(_taken(self.patch(cut) + self.place, order[:, :16])))
        back = order.argsort(1)
        whole = _taken(torch.cat([seen, self.hole.expand(n, 48, 64)], 1), back)
        return self.head(self.decoder(whole + self.place_out)), cut, back >= 16


def _taken(x: Any, rows: Any) -> Any:
    return x.gather(1, rows[..., None].expand(-1, -1, x.shape[-1]))


def _hidden(model: Any, x: Any, _: Any) -> Any:
    said, cut, hidden = model(x)
    each = ((said - cut) ** 2).mean(-1)
    return (each * hidden).sum() / hidden.sum()


def _heat(model: Any, x: Any, source: Any) -> Any:
    """The residual u_t - u_xx - f by two backward passes, of which a third one follows."""
    x = x.detach().requires_grad_()
    (first,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first[:, 1].sum(), x, create_graph=True)
    return ((first[:, :1] - second[:, 1:] - source) ** 2).mean()


def _heat_forward(model: Any, x: Any, source: Any) -> Any:
    """The same by forward mode, which torch.compile follows; eager it takes twice the time."""
    x = x.clone()  # a view of all points has no tangent
    along_t, along_x = (torch.tensor(way).expand_as(x) for way in ([1.0, 0.0], [0.0, 1.0]))
    jvp = torch.func.jvp
    _, u_t = jvp(model, (x,), (along_t,))
    _, u_xx = jvp(lambda x: jvp(model, (x,), (along_x,))[1], (x,), (along_x,))
    return ((u_t - u_xx - source) ** 2).mean()


def _classes(model: Any, x: Any, y: Any) -> Any:
    return F.cross_entropy(model(x).flatten(0, -2), y.flatten())


def _mlp() -> nn.Module:
    layers = nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
    return nn.Sequential(*layers)


def _pinn() -> nn.Module:
    layers = nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh()
    return nn.Sequential(*layers, nn.Linear(64, 1))


def _cnn() -> nn.Module:
    features = nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    return nn.Sequential(*features, nn.Flatten(), nn.Linear(256, 10))


def _color() -> nn.Module:
    first = nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    second = nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    return nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(4096, 10))


def _resnet(width: int) -> nn.Module:
    stem = nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(True)
    wide = [width * 2**i for i in range(4)]
    blocks: list[nn.Module] = []
    for before, now in zip([width, *wide[:-1]], wide, strict=True):
        blocks += [Block(before, now, 1 if before == now else 2), Block(now, now, 1)]
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(wide[-1], 10)
    return nn.Sequential(*stem, *blocks, *head)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "mlp": _mlp,
    "mnist": _mlp,
    "cnn": _cnn,
    "color": _color,
    "resnet": lambda: _resnet(16),
    "wide": lambda: _resnet(64),
    "vit": lambda: Transformer(nn.Conv2d(3, 128, 4, stride=4), 64, 6, 10),
    "gpt": lambda: Transformer(nn.Embedding(256, 128), 128, 4, 256),
    "lstm": lambda: Last(nn.LSTM(64, 128, batch_first=True)),
    "gru": lambda: Last(nn.GRU(64, 128, batch_first=True)),
    "ssm": Ssm,
    "pinn": _pinn,
    "mae": Mae,
    "diffusion": denoiser.Denoiser,
}
LOSSES = defaultdict(lambda: _classes, pinn=_heat, mae=_hidden, diffusion=denoiser.missed)
"""(model, x, y) -> the loss of a batch, by kind of workload."""
COMPILED = LOSSES | {"pinn": _heat_forward}
"""The same for torch.compile, which does not differentiate twice."""
