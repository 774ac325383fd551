"""Single layers forward and backward, in the names that PyTorch and tensorem share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bench.process import THREADS
from bench.variants import OURS, PYTORCH, Run, is_installed
from bench.workloads import Tick

NHWC = f"{PYTORCH} NHWC"


@dataclass(frozen=True)
class Single:
    """A layer at a size at which it works for some tenths of a millisecond or more.

    Args:
        layer: How both libraries write it.
        shape: Of the input.
        below: Above 0, the input is of integers below it.
        more: What PyTorch takes besides.
        inputs: How often the input is given.
    """

    layer: str
    shape: tuple[int, ...]
    below: int = 0
    more: str = ""
    inputs: int = 1

    @property
    def name(self) -> str:
        return f"{self.layer} on {self.shape}"

    @property
    def theirs(self) -> str:
        """The layer in PyTorch."""
        return f"{self.layer[:-1]}, {self.more})" if self.more else self.layer

    def drawn(self) -> Any:
        """The input, which is noise."""
        rng = np.random.default_rng(0)
        if self.below:
            return rng.integers(0, self.below, self.shape, np.int32)
        return rng.standard_normal(self.shape, np.float32)


_MAPS, _ROWS, _WORDS = (32, 64, 32, 32), (1024, 1024), (16, 128, 256)
_FIRST = "batch_first=True"
SINGLES = (
    Single("Linear(512, 512)", (512, 512)),
    Single("Bilinear(64, 64, 64)", (256, 64), inputs=2),
    Single("Embedding(10000, 256)", (32, 128), 10000),
    Single("EmbeddingBag(10000, 256)", (256, 32), 10000),
    Single("Conv1d(64, 64, 3, padding=1)", (32, 64, 256)),
    Single("Conv2d(64, 64, 3, padding=1)", _MAPS),
    Single("Conv2d(64, 128, 3, stride=2, padding=1)", _MAPS),
    Single("Conv2d(64, 256, 1)", _MAPS),
    Single("Conv2d(64, 64, 3, padding=1, groups=64)", _MAPS),
    Single("Conv3d(16, 16, 3, padding=1)", (4, 16, 16, 16, 16)),
    Single("ConvTranspose2d(64, 32, 4, 2, 1)", (16, 64, 16, 16)),
    Single("MaxPool2d(2)", _MAPS),
    Single("MaxPool2d(3, 2, 1)", _MAPS),
    Single("AvgPool2d(2)", _MAPS),
    Single("AdaptiveAvgPool2d(1)", _MAPS),
    Single("Upsample(scale_factor=2)", (16, 32, 32, 32)),
    Single("PixelShuffle(2)", _MAPS),
    Single("BatchNorm1d(1024)", _ROWS),
    Single("BatchNorm2d(64)", _MAPS),
    Single("GroupNorm(8, 64)", _MAPS),
    Single("InstanceNorm2d(64)", _MAPS),
    Single("LayerNorm(256)", _WORDS),
    Single("RMSNorm(256)", _WORDS),
    Single("ReLU()", _ROWS),
    Single("GELU()", _ROWS),
    Single("SiLU()", _ROWS),
    Single("Tanh()", _ROWS),
    Single("Sigmoid()", _ROWS),
    Single("Softplus()", _ROWS),
    Single("Mish()", _ROWS),
    Single("PReLU()", _ROWS),
    Single("GLU()", _ROWS),
    Single("Softmax(-1)", _ROWS),
    Single("LogSoftmax(-1)", _ROWS),
    Single("Dropout(0.1)", _ROWS),
    Single("RNN(128, 128)", (32, 64, 128), more=_FIRST),
    Single("GRU(128, 128)", (32, 64, 128), more=_FIRST),
    Single("LSTM(128, 128)", (32, 64, 128), more=_FIRST),
    Single("MultiheadAttention(256, 8)", _WORDS, more=_FIRST),
    Single("TransformerEncoderLayer(256, 8, 1024, 0.0)", _WORDS, more=_FIRST),
)


def asked(only: Callable[[str], bool]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(layer, the sides that have it): images lie in both layouts in PyTorch."""
    for single in filter(lambda s: only(s.name), SINGLES):
        image = len(single.shape) == 4
        theirs = (PYTORCH, NHWC) if image else (PYTORCH,)
        yield single.name, (OURS, *(theirs if is_installed("torch") else ()))


def sides() -> dict[str, Run]:
    """Every side, by name."""
    return {
        OURS: partial(serve, _prepared_ours), PYTORCH: partial(serve, _torch(False)),
        NHWC: partial(serve, _torch(True)),
    }  # fmt: skip


Call = Callable[[], int]
"""It works once, to the end, and says how many steps that was."""


def serve(prepare: Callable[[str], Call], tick: Tick) -> None:
    """Work for ever on what the parent asks for; each item is prepared once."""
    calls: dict[str, Call] = {}
    item = str(tick(1))
    while True:
        if item and item not in calls:
            calls = {item: prepare(item)}
        item = str(tick(calls[item]() if item else 1))


def _single(name: str) -> Single:
    return next(single for single in SINGLES if single.name == name)


def _prepared_ours(name: str) -> Call:
    import jax

    from tensorem import Spec, nn

    single = _single(name)
    x = jax.numpy.asarray(single.drawn())
    given = [Spec(single.shape, str(x.dtype))] * single.inputs
    model = nn.build(eval(single.layer, vars(nn)), tuple(given) if len(given) > 1 else given[0])
    key, xs = jax.random.key(0), [x] * single.inputs
    ones = jax.numpy.ones(_first(model.output).shape)

    @jax.jit
    def both(params: Any, xs: Any, ones: Any) -> Any:
        def forward(params: Any, floats: Any) -> Any:
            y, after = model.train_apply(params, model.buffers, *(floats or xs), key=key)
            return _first(y), after

        y, back, after = jax.vjp(forward, params, [] if single.below else xs, has_aux=True)
        return y, after, back(ones)

    def call() -> int:
        jax.block_until_ready(both(dict(model.params), xs, ones))
        return 1

    return call


def _torch(channels_last: bool) -> Callable[[str], Call]:
    """Forward and backward, eager, with the allocator setting of tensorem."""

    def prepare(name: str) -> Call:
        import torch

        from tensorem import runtime

        runtime.keep_freed_memory()
        torch.set_num_threads(THREADS)
        single = _single(name)
        layer, x = eval(single.theirs, vars(torch.nn)), torch.tensor(single.drawn())
        if channels_last:
            layer = layer.to(memory_format=torch.channels_last)
            x = x.contiguous(memory_format=torch.channels_last)
        x = x if single.below else x.requires_grad_()
        is_attention = isinstance(layer, torch.nn.MultiheadAttention)
        xs = [x] * (3 if is_attention else single.inputs)
        forward = partial(layer, *xs, **({"need_weights": False} if is_attention else {}))
        ones = torch.ones_like(_first(forward()))

        def call() -> int:
            layer.zero_grad(set_to_none=True)
            x.grad = None
            _first(forward()).backward(ones)
            return 1

        return call

    return prepare


def _first(y: Any) -> Any:
    """The output of a recurrence or of attention, without what comes with it."""
    return y[0] if isinstance(y, tuple) else y
