"""The networks in tensorem, each with its input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from tensorem import Spec, autograd, losses, models, nn, ssl, train
from tensorem import functional as F

Network = tuple[nn.Layer, Any]


class Vit(nn.Layer):
    """Patches of 4x4 as 64 tokens, six pre-norm layers, the mean token."""

    patch: nn.Conv2d
    place: nn.LearnedPositionalEmbedding
    encoder: nn.TransformerEncoder
    head: nn.Linear

    def forward(self, x: Any) -> Any:
        maps = self.patch(x)
        tokens = F.permute(F.reshape(maps, (*maps.shape[:2], 64)), (0, 2, 1))
        return self.head(F.mean(self.encoder(self.place(tokens)), dim=1))


class Gpt(nn.Layer):
    """A pre-norm decoder without cross attention."""

    token: nn.Embedding
    place: nn.LearnedPositionalEmbedding
    encoder: nn.TransformerEncoder
    head: nn.Linear

    def forward(self, x: Any) -> Any:
        return self.head(self.encoder(self.place(self.token(x)), is_causal=True))


class Mae(nn.Layer):
    """A masked autoencoder (He et al. 2022): 16 of 64 patches are seen, the others said."""

    patch: nn.Linear
    place: nn.LearnedPositionalEmbedding
    encoder: nn.TransformerEncoder
    bridge: nn.Linear
    hole: nn.Embedding
    place_out: nn.LearnedPositionalEmbedding
    decoder: nn.TransformerEncoder
    head: nn.Linear

    def forward(self, x: Any) -> Any:
        cut = ssl.patches(x, 4)
        n, places, _ = cut.shape
        noise = jax.random.uniform(self.key(), (n, places)) if self.training else cut[..., 0]
        order = jnp.argsort(noise, 1)
        seen = _taken(self.place(self.patch(cut)), order[:, :16])
        seen = self.bridge(self.encoder(seen))
        holes = jnp.broadcast_to(self.hole.weight, (n, places - 16, 64))
        back = jnp.argsort(order, 1)
        whole = _taken(F.cat([seen, holes], 1), back)
        return self.head(self.decoder(self.place_out(whole))), cut, back >= 16


def _taken(x: Any, rows: Any) -> Any:
    return jnp.take_along_axis(x, rows[..., None], 1)


def _encoder(depth: int, wide: int = 128) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(wide, 4, 4 * wide, 0.0, "gelu", norm_first=True)
    return nn.TransformerEncoder(layer, depth, nn.LayerNorm(wide))


def _mlp() -> Network:
    layers = nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
    return nn.Sequential(*layers), ("N", 784)


def _cnn() -> Network:
    features = nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    return nn.Sequential(*features, nn.Flatten(), nn.Linear(256, 10)), ("N", 1, 8, 8)


def _color() -> Network:
    first = nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    second = nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    return nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(4096, 10)), ("N", 3, 32, 32)


def _resnet(width: int) -> Network:
    """ResNet-18 with the stem for CIFAR."""
    stem = nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    wide = [width * 2**i for i in range(4)]
    stages = [
        nn.blocks.resnet_stage(nn.BasicBlock, before, now, 2, 1 if before == now else 2)
        for before, now in zip([width, *wide[:-1]], wide, strict=True)
    ]
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(wide[-1], 10)
    return nn.Sequential(*stem, *stages, *head), ("N", 3, 32, 32)


def _vit() -> Network:
    place = nn.LearnedPositionalEmbedding(64, 128)
    layer = Vit(nn.Conv2d(3, 128, 4, stride=4), place, _encoder(6), nn.Linear(128, 10))
    return layer, ("N", 3, 32, 32)


def _gpt() -> Network:
    place = nn.LearnedPositionalEmbedding(128, 128)
    layer = Gpt(nn.Embedding(256, 128), place, _encoder(4), nn.Linear(128, 256))
    return layer, Spec(("N", 128), "int32")


def _last(recurrent: Any) -> Network:
    return nn.Sequential(recurrent, nn.Linear(128, 10)), ("N", 64, 64)


class Ssm(nn.Layer):
    """One Mamba block, the mean over time, a linear map."""

    block: nn.Mamba
    head: nn.Linear

    def forward(self, x: Any) -> Any:
        return self.head(F.mean(self.block(x), dim=1))


def _mae() -> Network:
    ends = nn.LearnedPositionalEmbedding(64, 128), nn.LearnedPositionalEmbedding(64, 64)
    layer = Mae(
        nn.Linear(48, 128), ends[0], _encoder(4), nn.Linear(128, 64), nn.Embedding(1, 64), ends[1],
        _encoder(2, 64), nn.Linear(64, 48),
    )  # fmt: skip
    return layer, ("N", 3, 32, 32)


def _diffusion() -> Network:
    denoiser = models.denoising_unet(1, (32, 64))
    return models.Diffusion(denoiser, models.linear_schedule()), ("N", 1, 28, 28)


def _heat(model: train.View, x: Any, source: Any) -> losses.Pair:
    """The residual of the heat equation, u_t - u_xx - f, at every point (t, x)."""
    u_t, u_xx = autograd.partials(model, x, 0, (1, 1))
    return ((u_t - u_xx - source) ** 2).sum(), jnp.asarray(source.size)


def _hidden(model: train.View, x: Any, _: Any) -> losses.Pair:
    return ssl.masked_mse(*model.output) * len(x), jnp.asarray(len(x))


LOSSES = {
    "pinn": train.Objective(_heat), "mae": train.Objective(_hidden), "diffusion": models.denoising,
}  # fmt: skip
"""The losses that are not cross entropy."""
NETWORKS: dict[str, Callable[[], Network]] = {
    "mlp": _mlp,
    "mnist": _mlp,
    "cnn": _cnn,
    "color": _color,
    "resnet": lambda: _resnet(16),
    "wide": lambda: _resnet(64),
    "vit": _vit,
    "gpt": _gpt,
    "lstm": lambda: _last(nn.LSTM(64, 128, returns="last")),
    "gru": lambda: _last(nn.GRU(64, 128, returns="last")),
    "ssm": lambda: (Ssm(nn.Mamba(64), nn.Linear(64, 10)), ("N", 256, 64)),
    "pinn": lambda: (models.pinn(2, 1, 64, 3), ("N", 2)),
    "mae": _mae,
    "diffusion": _diffusion,
}


def model(kind: str) -> nn.Model:
    """The network of a kind of workload, with its initial values."""
    layer, given = NETWORKS[kind]()
    return nn.build(layer, input=given)
