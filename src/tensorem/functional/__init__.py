"""Functions with PyTorch's names: shape-checked calls of the ops.

`from tensorem import functional as F`. Whatever draws takes its key as an argument.
"""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere

from ._activation import abs as abs
from ._activation import celu as celu
from ._activation import elu as elu
from ._activation import exp as exp
from ._activation import gelu as gelu
from ._activation import hardswish as hardswish
from ._activation import hardtanh as hardtanh
from ._activation import leaky_relu as leaky_relu
from ._activation import log as log
from ._activation import log_softmax as log_softmax
from ._activation import logsigmoid as logsigmoid
from ._activation import mish as mish
from ._activation import neg as neg
from ._activation import relu as relu
from ._activation import relu6 as relu6
from ._activation import selu as selu
from ._activation import sigmoid as sigmoid
from ._activation import silu as silu
from ._activation import softmax as softmax
from ._activation import softplus as softplus
from ._activation import softsign as softsign
from ._activation import sqrt as sqrt
from ._activation import tanh as tanh
from ._arithmetic import add as add
from ._arithmetic import div as div
from ._arithmetic import maximum as maximum
from ._arithmetic import minimum as minimum
from ._arithmetic import mul as mul
from ._arithmetic import sub as sub
from ._attention import attention_weights as attention_weights
from ._attention import scaled_dot_product_attention as scaled_dot_product_attention
from ._bags import embedding_bag as embedding_bag
from ._contract import bilinear as bilinear
from ._contract import conv2d as conv2d
from ._contract import embedding as embedding
from ._contract import linear as linear
from ._contract import matmul as matmul
from ._conv import conv1d as conv1d
from ._conv import conv3d as conv3d
from ._conv import conv_transpose1d as conv_transpose1d
from ._conv import conv_transpose2d as conv_transpose2d
from ._conv import conv_transpose3d as conv_transpose3d
from ._dropout import alpha_dropout as alpha_dropout
from ._dropout import channel_dropout as channel_dropout
from ._dropout import dropout as dropout
from ._einsum import einsum as einsum
from ._gate import glu as glu
from ._gate import prelu as prelu
from ._gate import softmin as softmin
from ._gate import swiglu as swiglu
from ._measure import cosine_similarity as cosine_similarity
from ._measure import norm as norm
from ._measure import normalize as normalize
from ._move import broadcast as broadcast
from ._move import cat as cat
from ._move import flatten as flatten
from ._move import flip as flip
from ._move import narrow as narrow
from ._move import pad as pad
from ._move import permute as permute
from ._move import repeat_interleave as repeat_interleave
from ._move import reshape as reshape
from ._move import roll as roll
from ._normalise import batch_moments as batch_moments
from ._normalise import batch_norm as batch_norm
from ._normalise import layer_norm as layer_norm
from ._norms import group_norm as group_norm
from ._norms import instance_norm as instance_norm
from ._norms import local_response_norm as local_response_norm
from ._norms import rms_norm as rms_norm
from ._order import argsort as argsort
from ._order import gather as gather
from ._order import index_select as index_select
from ._order import scatter_add as scatter_add
from ._order import sort as sort
from ._order import take_along_dim as take_along_dim
from ._order import topk as topk
from ._pool import avg_pool2d as avg_pool2d
from ._pool import max_pool2d as max_pool2d
from ._pools import adaptive_avg_pool1d as adaptive_avg_pool1d
from ._pools import adaptive_avg_pool2d as adaptive_avg_pool2d
from ._pools import adaptive_avg_pool3d as adaptive_avg_pool3d
from ._pools import adaptive_max_pool1d as adaptive_max_pool1d
from ._pools import adaptive_max_pool2d as adaptive_max_pool2d
from ._pools import adaptive_max_pool3d as adaptive_max_pool3d
from ._pools import avg_pool1d as avg_pool1d
from ._pools import avg_pool3d as avg_pool3d
from ._pools import lp_pool1d as lp_pool1d
from ._pools import lp_pool2d as lp_pool2d
from ._pools import lp_pool3d as lp_pool3d
from ._pools import max_pool1d as max_pool1d
from ._pools import max_pool3d as max_pool3d
from ._position import places as places
from ._position import rotary_embedding as rotary_embedding
from ._position import sinusoidal_encoding as sinusoidal_encoding
from ._rearrange import rearrange as rearrange
from ._recurrent import gated_diagonal_ssm as gated_diagonal_ssm
from ._recurrent import gru as gru
from ._recurrent import gru_cell as gru_cell
from ._recurrent import lstm as lstm
from ._recurrent import lstm_cell as lstm_cell
from ._recurrent import rnn as rnn
from ._recurrent import rnn_cell as rnn_cell
from ._recurrent import zero_pads as zero_pads
from ._reduce import amax as amax
from ._reduce import amin as amin
from ._reduce import mean as mean
from ._reduce import sum as sum
from ._resample import interpolate as interpolate
from ._resample import pixel_shuffle as pixel_shuffle
from ._resample import pixel_unshuffle as pixel_unshuffle
from ._resample import unfold as unfold
from ._select import clamp as clamp
from ._select import cumsum as cumsum
from ._select import masked_fill as masked_fill
from ._select import one_hot as one_hot
from ._select import where as where
from ._selective import selective_scan as selective_scan
from ._shape import shape as shape

__all__ = [
    "abs",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "add",
    "alpha_dropout",
    "amax",
    "amin",
    "argsort",
    "attention_weights",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_moments",
    "batch_norm",
    "bilinear",
    "broadcast",
    "cat",
    "celu",
    "channel_dropout",
    "clamp",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_similarity",
    "cumsum",
    "div",
    "dropout",
    "einsum",
    "elu",
    "embedding",
    "embedding_bag",
    "exp",
    "flatten",
    "flip",
    "gated_diagonal_ssm",
    "gather",
    "gelu",
    "glu",
    "group_norm",
    "gru",
    "gru_cell",
    "hardswish",
    "hardtanh",
    "index_select",
    "instance_norm",
    "interpolate",
    "layer_norm",
    "leaky_relu",
    "linear",
    "local_response_norm",
    "log",
    "log_softmax",
    "logsigmoid",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "lstm",
    "lstm_cell",
    "masked_fill",
    "matmul",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "maximum",
    "mean",
    "minimum",
    "mish",
    "mul",
    "narrow",
    "neg",
    "norm",
    "normalize",
    "one_hot",
    "pad",
    "permute",
    "pixel_shuffle",
    "pixel_unshuffle",
    "places",
    "prelu",
    "rearrange",
    "relu",
    "relu6",
    "repeat_interleave",
    "reshape",
    "rms_norm",
    "rnn",
    "rnn_cell",
    "roll",
    "rotary_embedding",
    "scaled_dot_product_attention",
    "scatter_add",
    "selective_scan",
    "selu",
    "shape",
    "sigmoid",
    "silu",
    "sinusoidal_encoding",
    "softmax",
    "softmin",
    "softplus",
    "softsign",
    "sort",
    "sqrt",
    "sub",
    "sum",
    "swiglu",
    "take_along_dim",
    "tanh",
    "topk",
    "unfold",
    "where",
    "zero_pads",
]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)
