"""Every layer in use, once or more: what `tensorem layers` prints and what all laws are tested on.

Who adds a layer adds an example, and its oracle and laws come with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tensorem.functional import tanh
from tensorem.layer import Layer
from tensorem.shapes import Spec

from ._activation import (
    Flatten,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
)
from ._attention import MultiheadAttention
from ._branches import AddBranches, Concat, Parallel
from ._combine import Input, Residual, Sequential, share
from ._conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ._curves import (
    CELU,
    ELU,
    GELU,
    SELU,
    Hardswish,
    Hardtanh,
    LogSigmoid,
    Mish,
    ReLU6,
    SiLU,
    Softsign,
)
from ._dropout import AlphaDropout, Dropout, Dropout1d, Dropout2d
from ._embedding import Embedding, EmbeddingBag, OneHotEmbedding
from ._form import Sum, Unflatten
from ._gate import GLU, LogSoftmax, PReLU, Softmin, SwiGLU
from ._group_norm import (
    GroupNorm,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    LocalResponseNorm,
    RMSNorm,
)
from ._lazy import LazyConv1d, LazyConv2d, LazyConv3d, LazyLinear
from ._linear import Bilinear, Linear
from ._norm import BatchNorm1d, BatchNorm2d, BatchNorm3d, LayerNorm
from ._parametrized import SpectralNorm, WeightNorm
from ._pool import AvgPool1d, AvgPool2d, AvgPool3d, MaxPool1d, MaxPool2d, MaxPool3d
from ._position import (
    LearnedPositionalEmbedding,
    RotaryEmbedding,
    SinusoidalPositionalEncoding,
)
from ._recurrent import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from ._residual import BasicBlock, Bottleneck
from ._resize import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AdaptiveMaxPool3d,
    GlobalAvgPool,
    LPPool1d,
    LPPool2d,
    LPPool3d,
    PixelShuffle,
    PixelUnshuffle,
    Upsample,
)
from ._scale import Standardize, Unstandardize
from ._seeded import Seeded
from ._ssm import GatedDiagonalSSM, Mamba
from ._transformed import Checkpoint, Lambda, MapBatch, Repeat
from ._transformer import (
    Transformer,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
)

Given = Spec | tuple[int | str, ...]


@dataclass(frozen=True)
class Example:
    """A layer, and what goes in.

    Args:
        layer: The layer.
        input: What `build` takes: a shape or Spec, or a tuple of these for several inputs. The
            tests put numbers in place of names.
        name: What tells it from other examples of the layer.
        twin: The same in PyTorch, as an expression in the names of `torch.nn`; None where the call
            that makes the layer is one, "" where there is none or the tests hold it.
        steps: Training steps that are compared; 0 for evaluation.
        below: Above 0, inputs of integers are drawn below it.
        holes: Laws that it does not keep, with the reason.
    """

    layer: Layer
    input: Given | tuple[Given, ...]
    name: str = ""
    twin: str | None = None
    steps: int = 0
    below: int = 0
    holes: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The class of the layer, and what tells this example from others of it."""
        return f"{type(self.layer).__name__} {self.name}".strip()


_ROOTS = {"exact": "the root of a variance is rational for squares alone"}
_IRRATIONAL = {"exact": "roots of most rationals are irrational"}
_VECTORS = ("N", 4)
_INDICES = Spec(("N", 3), "int32")
_MODES = ("zeros", "reflect", "replicate", "circular")

_LINEAR = (
    Example(Linear(5, 3), ("N", 5)),
    Example(Linear(5, 3, False), ("N", 4, 5), "3d"),
    Example(Bilinear(3, 4, 2), (("N", 3), ("N", 4))),
    Example(Bilinear(3, 2, 2, False), (("N", "T", 3), ("N", "T", 2)), "3d"),
)
_ACTIVATIONS = (
    Example(ReLU(), _VECTORS),
    Example(LeakyReLU(0.2), _VECTORS),
    Example(Sigmoid(), _VECTORS),
    Example(Tanh(), _VECTORS),
    Example(Softplus(), _VECTORS),
    Example(Softplus(3.5), _VECTORS, "steep"),
    Example(Softmax(-1), _VECTORS),
    Example(Softmax(1), ("N", 5, 3), "over axis 1"),
    Example(Identity(), _VECTORS),
    Example(Flatten(), ("N", 3, 4)),
    Example(Flatten(1, 2), ("N", 3, 4, 5), "of two axes"),
    Example(Dropout(0.3), _VECTORS),
    Example(Dropout1d(0.3), ("N", 4, 3)),
    Example(Dropout2d(0.3), ("N", 4, 3, 2)),
    Example(AlphaDropout(0.3), _VECTORS),
    Example(GELU(), _VECTORS),
    Example(GELU("tanh"), _VECTORS, "tanh"),
    Example(SiLU(), _VECTORS),
    Example(Mish(), _VECTORS),
    Example(Hardswish(), _VECTORS),
    Example(ELU(1.5), _VECTORS),
    Example(CELU(0.5), _VECTORS),
    Example(SELU(), _VECTORS),
    Example(Hardtanh(-0.5, 2.0), _VECTORS),
    Example(ReLU6(), _VECTORS),
    Example(Softsign(), _VECTORS),
    Example(LogSigmoid(), _VECTORS),
    Example(LogSoftmax(-1), _VECTORS),
    Example(Softmin(1), ("N", 5, 3)),
    Example(PReLU(), _VECTORS),
    Example(PReLU(4, 0.5), ("N", 4, 3), "of channels"),
    Example(GLU(), _VECTORS),
    Example(GLU(1), ("N", 6, 3), "over axis 1"),
    Example(SwiGLU(), _VECTORS, twin=""),
    Example(Unflatten(1, (2, 3)), ("N", 6)),
    Example(Sum(), ("N", 3), twin=""),
    Example(Sum(1, True), ("N", 3), "along an axis", ""),
)
_CONVOLUTIONS = (
    Example(Conv2d(2, 3, 3), ("N", 2, 6, 5)),
    Example(
        Conv2d(4, 6, (3, 2), (2, 1), (1, 2), (1, 2), 2, bias=False), ("N", 4, 7, 6), "with all"
    ),
    Example(Conv2d(1, 2, 3, padding="same", dilation=2), ("N", 1, 6, 6), "same"),
    Example(Conv2d(2, 3, (2, 4), padding="same", dilation=(1, 3)), ("N", 2, 6, 7), "uneven same"),
    *(Example(Conv2d(2, 4, 3, 2, (2, 1), 1, 2, True, m), ("N", 2, 7, 6), m) for m in _MODES),
    Example(
        Conv2d(1, 2, (2, 4), padding="same", padding_mode="circular"),
        (1, 5, 6),
        "uneven same circular",
    ),
    Example(Conv2d(2, 3, 2), (2, 4, 4), "of one image"),
    Example(Conv1d(2, 3, 3), ("N", 2, 7)),
    Example(Conv1d(4, 6, 3, 2, 1, 2, 2, padding_mode="circular"), ("N", 4, 9), "with all"),
    Example(Conv3d(2, 3, (1, 2, 3)), ("N", 2, 3, 4, 5)),
    Example(Conv3d(2, 4, 2, (2, 1, 2), 1, (1, 2, 1), 2), ("N", 2, 4, 4, 5), "with all"),
    Example(ConvTranspose1d(4, 3, 4, 2, 1), ("N", 4, 5)),
    Example(ConvTranspose2d(2, 3, 2, 2), ("N", 2, 3, 4)),
    Example(
        ConvTranspose2d(4, 6, (3, 2), (3, 2), (1, 0), (2, 1), 2, True, (2, 1)),
        ("N", 4, 3, 4),
        "with all",
    ),
    Example(ConvTranspose3d(2, 3, 2, (2, 1, 1), 0, (1, 0, 0)), ("N", 2, 2, 3, 2)),
)
_POOLS = (
    Example(MaxPool2d(2), ("N", 3, 6, 4)),
    Example(MaxPool2d(3, 2, 1), ("N", 2, 7, 6), "overlapping"),
    Example(MaxPool2d((2, 3)), ("N", 1, 5, 7), "odd"),
    Example(MaxPool2d(3, 1, 1, 2), ("N", 2, 7, 6), "dilated"),
    Example(MaxPool2d((2, 3), (1, 2), (1, 0), (3, 2)), ("N", 2, 7, 8), "dilated unevenly"),
    Example(MaxPool2d(2, ceil_mode=True), ("N", 3, 7, 5), "ceil"),
    Example(MaxPool2d(2, ceil_mode=True), ("N", 2, "2*H", "4*T+1"), "ceil of names", ""),
    Example(MaxPool2d(3, 2, 1, ceil_mode=True), ("N", 2, 6, 7), "ceil padded"),
    Example(MaxPool2d(2, 3, 1, ceil_mode=True), ("N", 2, 5, 4), "ceil without the last window"),
    Example(
        MaxPool2d((3, 2), (2, 3), (1, 1), (2, 3), ceil_mode=True), ("N", 2, 8, 9), "ceil dilated"
    ),
    Example(MaxPool2d(3, 2, ceil_mode=True), ("N", 2, 2, 3), "ceil larger than the image"),
    Example(AvgPool2d(2), ("N", 3, 4, 4)),
    Example(AvgPool2d(3, 1, 1), ("N", 2, 4, 5), "padded"),
    Example(AvgPool2d(2, None, 0, True), ("N", 3, 5, 7), "ceil"),
    Example(AvgPool2d(3, 2, 1, True), ("N", 2, 6, 7), "ceil padded"),
    Example(AvgPool2d(3, 2, 1, True, False), ("N", 2, 6, 7), "ceil padded, padding not counted"),
    Example(AvgPool2d(2, 3, 1, True), (2, 4, 5), "ceil, a step beyond the window"),
    Example(AvgPool2d((3, 2), (1, 2), 1, False, False), ("N", 2, 4, 5), "padding not counted"),
    Example(AvgPool2d(2, 1, 1, False, True, 3), ("N", 2, 4, 4), "with a divisor"),
    Example(AvgPool2d(3, 2, (0, 1), True, False, 7), ("N", 2, 6, 5), "with a divisor of all"),
)
_RESIZED = (
    Example(MaxPool1d(3, 2, 1), ("N", 2, 9)),
    Example(MaxPool1d(2, ceil_mode=True), (2, 9), "of one series"),
    Example(MaxPool3d(2), ("N", 2, 4, 5, 4)),
    Example(MaxPool3d((3, 2, 2), 2, 1, ceil_mode=True), ("N", 1, 5, 4, 6), "ceil padded"),
    Example(AvgPool1d(3, 2, 1), ("N", 2, 9)),
    Example(AvgPool1d(3, 2, 1, True, False), ("N", 2, 8), "ceil, padding not counted"),
    Example(AvgPool3d(2), ("N", 2, 4, 4, 5)),
    Example(AvgPool3d((3, 2, 2), 2, 1, True, True, 5), ("N", 1, 5, 4, 6), "with a divisor"),
    Example(LPPool1d(2, 3), ("N", 2, 9), holes=_IRRATIONAL),
    Example(LPPool2d(1, 2), ("N", 2, 4, 6)),
    Example(LPPool3d(2, (1, 2, 2), 2, True), ("N", 2, 3, 4, 5), holes=_IRRATIONAL),
    Example(AdaptiveAvgPool1d(4), ("N", 2, 9)),
    Example(AdaptiveAvgPool2d((3, 5)), ("N", 2, 9, 8)),
    Example(AdaptiveAvgPool2d(1), ("N", 2, 4, 5), "of all"),
    Example(AdaptiveAvgPool3d((1, 3, 2)), ("N", 2, 3, 4, 4)),
    Example(AdaptiveMaxPool1d(4), ("N", 2, 9)),
    Example(AdaptiveMaxPool2d((None, 3)), ("N", 2, 4, 8)),
    Example(AdaptiveMaxPool3d(2), ("N", 2, 3, 4, 5)),
    Example(GlobalAvgPool(), ("N", 3, 4, 2), twin="Sequential(AdaptiveAvgPool2d(1), Flatten())"),
    Example(Upsample(scale_factor=2), ("N", 2, 3, 2)),
    Example(Upsample((5, 4), mode="bilinear", align_corners=True), ("N", 2, 3, 2), "bilinear"),
    Example(PixelShuffle(2), ("N", 8, 3, 2)),
    Example(PixelUnshuffle(2), ("N", 2, 4, 6)),
)
_NORMS = (
    Example(BatchNorm2d(3), ("N", 3, 4, 2), holes=_ROOTS),
    Example(BatchNorm2d(3), ("N", 3, 4, 2), "in training", steps=3),
    Example(BatchNorm2d(3, momentum=None, affine=False), ("N", 3, 2, 2), "plain mean", steps=3),
    Example(BatchNorm2d(3, track_running_stats=False), ("N", 3, 2, 2), "untracked"),
    Example(BatchNorm1d(3), ("N", 3), holes=_ROOTS),
    Example(BatchNorm1d(3), (4, 3, 5), "of series in training", steps=2),
    Example(BatchNorm3d(2), ("N", 2, 3, 2, 2), holes=_ROOTS),
    Example(BatchNorm3d(2), ("N", 2, 3, 2, 2), "in training", steps=2),
    Example(RMSNorm(6), ("N", 3, 6), holes=_ROOTS),
    Example(RMSNorm((3, 6), 1e-3, False), ("N", 3, 6), "of two axes"),
    Example(GroupNorm(2, 6), ("N", 6, 3), holes=_ROOTS),
    Example(GroupNorm(3, 6, 1e-3, False), ("N", 6, 3, 2), "of images"),
    Example(InstanceNorm1d(3), ("N", 3, 5), holes=_ROOTS),
    Example(InstanceNorm2d(3, affine=True), ("N", 3, 2, 4), holes=_ROOTS),
    Example(InstanceNorm3d(2), ("N", 2, 2, 1, 2), holes=_ROOTS),
    Example(LocalResponseNorm(3, 0.5), ("N", 5, 2)),
    Example(LocalResponseNorm(2, 0.5, 0.5, 2.0), ("N", 3, 2, 2), "even"),
    Example(LayerNorm(6), ("N", 3, 6), holes=_ROOTS),
    Example(LayerNorm((3, 6), eps=1e-3, bias=False), ("N", 3, 6), "of two axes"),
)
_SCALES = (
    Example(Standardize((1.0, -2.0), (0.5, 3.0)), ("N", 2), twin=""),
    Example(Unstandardize((1.0, -2.0), (0.5, 3.0)), ("N", 2), twin=""),
)
_EMBEDDINGS = (
    Example(Embedding(7, 3), _INDICES, below=7),
    Example(Embedding(4, 3, -2), _INDICES, "with padding", below=4),
    Example(OneHotEmbedding(7, 3), ("N", 7), twin=""),
    Example(EmbeddingBag(7, 3), _INDICES, below=7),
    Example(EmbeddingBag(7, 3, mode="sum", padding_idx=2), _INDICES, "of sums", below=7),
    Example(EmbeddingBag(7, 3, mode="max"), _INDICES, "of maxima", below=7),
)
_SCORES = {"large": "float32 rounds scores in the thousands by more than their softmax bears"}
_WORDS, _MEMORY = ("N", "T", 8), ("N", "S", 8)
_ENCODER = TransformerEncoderLayer(8, 2, 12)
_DECODER = TransformerDecoderLayer(8, 2, 12)
_ATTENTION = (
    Example(MultiheadAttention(8, 2), _WORDS, twin="", holes=_SCORES),
    Example(
        MultiheadAttention(8, 2, bias=False, kdim=6, vdim=5),
        (_WORDS, ("N", "S", 6), ("N", "S", 5)),
        "across",
        "",
        holes=_SCORES,
    ),
    Example(
        MultiheadAttention(6, 2, head_dim=4, rotary="half", window=2, softcap=2.0),
        ("N", "T", 6),
        "with all",
        "",
    ),
    Example(MultiheadAttention(8, 2, weighting="linear"), _WORDS, "linear", ""),
    Example(MultiheadAttention(8, 4, num_kv_heads=2), _WORDS, "grouped", "", holes=_SCORES),
    Example(LearnedPositionalEmbedding(9, 8), _WORDS, twin=""),
    Example(SinusoidalPositionalEncoding(), ("N", "T", 7), twin=""),
    Example(RotaryEmbedding(), _WORDS, twin=""),
    Example(RotaryEmbedding("half", start=3), _WORDS, "of halves", ""),
)
_TRANSFORMERS = (
    Example(
        _ENCODER, _WORDS, twin="TransformerEncoderLayer(8, 2, 12, batch_first=True)", holes=_SCORES
    ),
    Example(
        TransformerEncoderLayer(8, 4, 12, 0.0, "gelu", 1e-3, norm_first=True, bias=False),
        _WORDS,
        "norm first",
        "TransformerEncoderLayer(8, 4, 12, 0.0, 'gelu', 1e-3, True, True, False)",
        steps=1,
        holes=_SCORES,
    ),
    Example(
        _DECODER,
        (_WORDS, _MEMORY),
        twin="TransformerDecoderLayer(8, 2, 12, batch_first=True)",
        holes=_SCORES,
    ),
    Example(
        TransformerDecoderLayer(8, 4, 12, 0.0, "gelu", norm_first=True),
        (_WORDS, _MEMORY),
        "norm first",
        "TransformerDecoderLayer(8, 4, 12, 0.0, 'gelu', 1e-5, True, True)",
        steps=1,
        holes=_SCORES,
    ),
    Example(
        TransformerEncoder(_ENCODER, 1, LayerNorm(8)),
        _WORDS,
        twin="TransformerEncoder(TransformerEncoderLayer(8, 2, 12, batch_first=True), 1,"
        " LayerNorm(8), False)",
        holes=_SCORES,
    ),
    Example(
        TransformerDecoder(_DECODER, 1),
        (_WORDS, _MEMORY),
        twin="TransformerDecoder(TransformerDecoderLayer(8, 2, 12, batch_first=True), 1)",
        holes=_SCORES,
    ),
    Example(
        Transformer(8, 2, 1, 1, 12),
        (_MEMORY, _WORDS),
        twin="Transformer(8, 2, 1, 1, 12, batch_first=True)",
        holes=_SCORES,
    ),
)
_SEQUENCES = ("N", "T", 3)
_RECURRENT = (
    Example(RNN(3, 4, nonlinearity="relu", returns="output"), ("N", 4, 3), twin=""),
    Example(RNN(3, 4), _SEQUENCES, "with its state", "RNN(3, 4, batch_first=True)"),
    Example(
        RNN(3, 4, 2, "relu", bidirectional=True),
        _SEQUENCES,
        "of two layers and directions",
        'RNN(3, 4, 2, "relu", batch_first=True, bidirectional=True)',
    ),
    Example(GRU(3, 4, returns="last"), ("N", 4, 3), twin=""),
    Example(GRU(3, 4), ("T", 3), "of one sequence", "GRU(3, 4, batch_first=True)"),
    Example(
        GRU(3, 4, 2, False, bidirectional=True),
        _SEQUENCES,
        "of two layers and directions",
        "GRU(3, 4, 2, False, True, bidirectional=True)",
    ),
    Example(GRU(3, 4, recurrent_bias=False, reset_after=False), ("N", 4, 3), "published", ""),
    Example(LSTM(3, 4, returns="last"), ("N", 4, 3), twin=""),
    Example(LSTM(3, 4), _SEQUENCES, "with its state", "LSTM(3, 4, batch_first=True)"),
    Example(
        LSTM(3, 4, 2, bidirectional=True),
        _SEQUENCES,
        "of two layers and directions",
        "LSTM(3, 4, 2, batch_first=True, bidirectional=True)",
    ),
    Example(RNNCell(3, 4), (("N", 3), ("N", 4))),
    Example(GRUCell(3, 4, False), (("N", 3), ("N", 4))),
    Example(LSTMCell(3, 4), ("N", 3)),
    Example(GatedDiagonalSSM(3, 4, returns="output"), ("N", 4, 3), twin=""),
    Example(Mamba(4, d_state=3), ("N", 5, 4), twin=""),
    Example(Mamba(4, 3, 2, bias=True, scan="associative"), ("N", 5, 4), "all at once", ""),
)
_CNN = Sequential(
    Conv2d(1, 4, 3, padding=1, bias=False),
    BatchNorm2d(4),
    ReLU(),
    MaxPool2d(2),
    Flatten(),
    Linear(4 * 3 * 3, 5),
)
_COMBINED = (
    Example(Input(4), _VECTORS, twin="Identity()"),
    Example(share(Linear(4, 4)), _VECTORS, twin=""),
    Example(Residual(Linear(4, 4)), _VECTORS, twin=""),
    Example(Repeat(Sequential(Linear(4, 4), ReLU()), 5), _VECTORS, twin=""),
    Example(Repeat(Linear(4, 4), 2), _VECTORS, "short", "Sequential(Linear(4, 4), Linear(4, 4))"),
    Example(MapBatch(Sequential(Linear(4, 3), ReLU())), ("N", 4), twin=""),
    Example(Checkpoint(Linear(4, 3)), _VECTORS, twin=""),
    Example(Lambda(tanh), _VECTORS, twin=""),
    Example(AddBranches(Linear(4, 3), Linear(4, 3, False)), _VECTORS, twin=""),
    Example(Concat((Linear(4, 3), Linear(4, 2)), -1), _VECTORS, twin=""),
    Example(Parallel(Linear(4, 3), Sequential(Linear(4, 2), ReLU())), _VECTORS, twin=""),
    Example(
        Parallel(Linear(4, 3), Linear(2, 3)), (_VECTORS, ("N", 2)), "on inputs of their own", ""
    ),
    Example(LazyLinear(3), ("N", 5), twin="Linear(5, 3)"),
    Example(LazyConv1d(3, 2), ("N", 2, 5), twin="Conv1d(2, 3, 2)"),
    Example(
        LazyConv2d(4, 3, padding=1, groups=2), ("N", 2, 4, 3), twin="Conv2d(2, 4, 3, 1, 1, 1, 2)"
    ),
    Example(LazyConv3d(3, 2, bias=False), ("N", 2, 3, 2, 4), twin="Conv3d(2, 3, 2, bias=False)"),
    Example(BasicBlock(2, 2), ("N", 2, 3, 4), twin="", holes=_ROOTS),
    Example(BasicBlock(2, 4, 2), ("N", 2, 5, 4), "with projection", twin="", steps=2),
    Example(Bottleneck(4, 1), ("N", 4, 3, 4), twin="", holes=_ROOTS),
    Example(Bottleneck(2, 1, 2), ("N", 2, 5, 4), "with projection", twin=""),
    Example(
        WeightNorm(Linear(4, 3)),
        _VECTORS,
        twin="utils.parametrizations.weight_norm(Linear(4, 3))",
        holes=_ROOTS,
    ),
    Example(
        WeightNorm(Conv2d(2, 3, 2), dim=1),
        ("N", 2, 4, 4),
        "of columns",
        twin="utils.parametrizations.weight_norm(Conv2d(2, 3, 2), dim=1)",
        holes=_ROOTS,
    ),
    Example(
        SpectralNorm(Linear(4, 3)),
        _VECTORS,
        twin="utils.parametrizations.spectral_norm(Linear(4, 3))",
        steps=2,
    ),
    Example(Seeded(Linear(4, 3), {"weight": 1}), _VECTORS, twin="Linear(4, 3)"),
    Example(Sequential(Linear(4, 3), ReLU(), Linear(3, 2)), _VECTORS),
    Example(
        Sequential({"hidden": Linear(4, 3), "act": ReLU(), "last": Linear(3, 2)}),
        _VECTORS,
        "by name",
        "",
    ),
    Example(_CNN, ("N", 1, 6, 6), "cnn", steps=2),
)

EXAMPLES: tuple[Example, ...] = (
    *_LINEAR,
    *_ACTIVATIONS,
    *_CONVOLUTIONS,
    *_POOLS,
    *_RESIZED,
    *_NORMS,
    *_SCALES,
    *_EMBEDDINGS,
    *_RECURRENT,
    *_ATTENTION,
    *_TRANSFORMERS,
    *_COMBINED,
)
"""At least one example of every layer; the first of each stands for it in the table."""
