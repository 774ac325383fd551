"""The layers, family by family, and `build`, which makes models of them."""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere
from tensorem.layer import EVALUATION as EVALUATION
from tensorem.layer import Buffer as Buffer
from tensorem.layer import Carried as Carried
from tensorem.layer import Context as Context
from tensorem.layer import Derived as Derived
from tensorem.layer import Layer as Layer
from tensorem.layer import Model as Model
from tensorem.layer import Parameter as Parameter
from tensorem.layer import adjust as adjust
from tensorem.layer import build as build
from tensorem.layer import carry as carry
from tensorem.layer import eager as eager
from tensorem.layer import supply as supply

from . import _init as init
from . import blocks as blocks
from . import examples as examples
from . import heads as heads
from . import pure as pure
from ._activation import Flatten as Flatten
from ._activation import Identity as Identity
from ._activation import LeakyReLU as LeakyReLU
from ._activation import ReLU as ReLU
from ._activation import Sigmoid as Sigmoid
from ._activation import Softmax as Softmax
from ._activation import Softplus as Softplus
from ._activation import Tanh as Tanh
from ._attention import MultiheadAttention as MultiheadAttention
from ._branches import AddBranches as AddBranches
from ._branches import Concat as Concat
from ._branches import Parallel as Parallel
from ._cache import Cache as Cache
from ._cache import rewind as rewind
from ._combine import Input as Input
from ._combine import Residual as Residual
from ._combine import Sequential as Sequential
from ._combine import share as share
from ._conv import Conv1d as Conv1d
from ._conv import Conv2d as Conv2d
from ._conv import Conv3d as Conv3d
from ._conv import ConvTranspose1d as ConvTranspose1d
from ._conv import ConvTranspose2d as ConvTranspose2d
from ._conv import ConvTranspose3d as ConvTranspose3d
from ._curves import CELU as CELU
from ._curves import ELU as ELU
from ._curves import GELU as GELU
from ._curves import SELU as SELU
from ._curves import Hardswish as Hardswish
from ._curves import Hardtanh as Hardtanh
from ._curves import LogSigmoid as LogSigmoid
from ._curves import Mish as Mish
from ._curves import ReLU6 as ReLU6
from ._curves import SiLU as SiLU
from ._curves import Softsign as Softsign
from ._dropout import AlphaDropout as AlphaDropout
from ._dropout import Dropout as Dropout
from ._dropout import Dropout1d as Dropout1d
from ._dropout import Dropout2d as Dropout2d
from ._embedding import Embedding as Embedding
from ._embedding import EmbeddingBag as EmbeddingBag
from ._embedding import OneHotEmbedding as OneHotEmbedding
from ._form import Sum as Sum
from ._form import Unflatten as Unflatten
from ._gate import GLU as GLU
from ._gate import LogSoftmax as LogSoftmax
from ._gate import PReLU as PReLU
from ._gate import Softmin as Softmin
from ._gate import SwiGLU as SwiGLU
from ._group_norm import GroupNorm as GroupNorm
from ._group_norm import InstanceNorm1d as InstanceNorm1d
from ._group_norm import InstanceNorm2d as InstanceNorm2d
from ._group_norm import InstanceNorm3d as InstanceNorm3d
from ._group_norm import LocalResponseNorm as LocalResponseNorm
from ._group_norm import RMSNorm as RMSNorm
from ._lazy import LazyConv1d as LazyConv1d
from ._lazy import LazyConv2d as LazyConv2d
from ._lazy import LazyConv3d as LazyConv3d
from ._lazy import LazyLinear as LazyLinear
from ._linear import Bilinear as Bilinear
from ._linear import Linear as Linear
from ._norm import BatchNorm1d as BatchNorm1d
from ._norm import BatchNorm2d as BatchNorm2d
from ._norm import BatchNorm3d as BatchNorm3d
from ._norm import LayerNorm as LayerNorm
from ._original import original as original
from ._parametrized import SpectralNorm as SpectralNorm
from ._parametrized import WeightNorm as WeightNorm
from ._pool import AvgPool1d as AvgPool1d
from ._pool import AvgPool2d as AvgPool2d
from ._pool import AvgPool3d as AvgPool3d
from ._pool import MaxPool1d as MaxPool1d
from ._pool import MaxPool2d as MaxPool2d
from ._pool import MaxPool3d as MaxPool3d
from ._position import LearnedPositionalEmbedding as LearnedPositionalEmbedding
from ._position import RotaryEmbedding as RotaryEmbedding
from ._position import SinusoidalPositionalEncoding as SinusoidalPositionalEncoding
from ._recurrent import GRU as GRU
from ._recurrent import LSTM as LSTM
from ._recurrent import RNN as RNN
from ._recurrent import GRUCell as GRUCell
from ._recurrent import LSTMCell as LSTMCell
from ._recurrent import RNNCell as RNNCell
from ._residual import BasicBlock as BasicBlock
from ._residual import Bottleneck as Bottleneck
from ._resize import AdaptiveAvgPool1d as AdaptiveAvgPool1d
from ._resize import AdaptiveAvgPool2d as AdaptiveAvgPool2d
from ._resize import AdaptiveAvgPool3d as AdaptiveAvgPool3d
from ._resize import AdaptiveMaxPool1d as AdaptiveMaxPool1d
from ._resize import AdaptiveMaxPool2d as AdaptiveMaxPool2d
from ._resize import AdaptiveMaxPool3d as AdaptiveMaxPool3d
from ._resize import GlobalAvgPool as GlobalAvgPool
from ._resize import LPPool1d as LPPool1d
from ._resize import LPPool2d as LPPool2d
from ._resize import LPPool3d as LPPool3d
from ._resize import PixelShuffle as PixelShuffle
from ._resize import PixelUnshuffle as PixelUnshuffle
from ._resize import Upsample as Upsample
from ._scale import Standardize as Standardize
from ._scale import Unstandardize as Unstandardize
from ._seeded import Seeded as Seeded
from ._seeded import fresh_seed as fresh_seed
from ._seeded import in_turn as in_turn
from ._seeded import lift as lift
from ._seeded import manual_seed as manual_seed
from ._seeded import next_seed as next_seed
from ._seeded import next_seeds as next_seeds
from ._seeded import run as run
from ._seeded import run_global as run_global
from ._seeded import with_model as with_model
from ._seeded import with_seed as with_seed
from ._seeded import with_seeds as with_seeds
from ._ssm import GatedDiagonalSSM as GatedDiagonalSSM
from ._ssm import Mamba as Mamba
from ._ssm import original_mamba as original_mamba
from ._transformed import Checkpoint as Checkpoint
from ._transformed import Lambda as Lambda
from ._transformed import MapBatch as MapBatch
from ._transformed import Repeat as Repeat
from ._transformer import Transformer as Transformer
from ._transformer import TransformerDecoder as TransformerDecoder
from ._transformer import TransformerDecoderLayer as TransformerDecoderLayer
from ._transformer import TransformerEncoder as TransformerEncoder
from ._transformer import TransformerEncoderLayer as TransformerEncoderLayer

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AddBranches",
    "AlphaDropout",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BasicBlock",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Bilinear",
    "Bottleneck",
    "Buffer",
    "CELU",
    "Cache",
    "Carried",
    "Checkpoint",
    "Concat",
    "Context",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Derived",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "ELU",
    "EVALUATION",
    "Embedding",
    "EmbeddingBag",
    "Flatten",
    "GELU",
    "GLU",
    "GRU",
    "GRUCell",
    "GatedDiagonalSSM",
    "GlobalAvgPool",
    "GroupNorm",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "Input",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "LSTM",
    "LSTMCell",
    "Lambda",
    "Layer",
    "LayerNorm",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyLinear",
    "LeakyReLU",
    "LearnedPositionalEmbedding",
    "Linear",
    "LocalResponseNorm",
    "LogSigmoid",
    "LogSoftmax",
    "Mamba",
    "MapBatch",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "Mish",
    "Model",
    "MultiheadAttention",
    "OneHotEmbedding",
    "PReLU",
    "Parallel",
    "Parameter",
    "PixelShuffle",
    "PixelUnshuffle",
    "RMSNorm",
    "RNN",
    "RNNCell",
    "ReLU",
    "ReLU6",
    "Repeat",
    "Residual",
    "RotaryEmbedding",
    "SELU",
    "Seeded",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SinusoidalPositionalEncoding",
    "Softmax",
    "Softmin",
    "Softplus",
    "Softsign",
    "SpectralNorm",
    "Standardize",
    "Sum",
    "SwiGLU",
    "Tanh",
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "Unflatten",
    "Unstandardize",
    "Upsample",
    "WeightNorm",
    "adjust",
    "blocks",
    "build",
    "carry",
    "eager",
    "examples",
    "fresh_seed",
    "heads",
    "in_turn",
    "init",
    "lift",
    "manual_seed",
    "next_seed",
    "next_seeds",
    "original",
    "original_mamba",
    "pure",
    "rewind",
    "run",
    "run_global",
    "share",
    "supply",
    "with_model",
    "with_seed",
    "with_seeds",
]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)
