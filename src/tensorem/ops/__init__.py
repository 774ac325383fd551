"""The table of operations: one row per op, every meaning side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere
from tensorem.runtime import prepare as _prepare

from ._derive import rounded_once as rounded_once
from ._float32 import executed as executed
from ._kept import kept as kept
from ._op import CALLS as CALLS
from ._op import MEANINGS as MEANINGS
from ._op import Attr as Attr
from ._op import Attrs as Attrs
from ._op import Cited as Cited
from ._op import Op as Op
from ._op import Rule as Rule
from ._op import Unsupported as Unsupported
from ._op import call_name as call_name
from ._op import watched as watched
from ._tracing import in_our_words as in_our_words
from ._tracing import translated as translated
from .activations import celu as celu
from .activations import elu as elu
from .activations import gelu as gelu
from .activations import hardswish as hardswish
from .activations import hardtanh as hardtanh
from .activations import leaky_relu as leaky_relu
from .activations import logsigmoid as logsigmoid
from .activations import mish as mish
from .activations import relu as relu
from .activations import selu as selu
from .activations import silu as silu
from .activations import softplus as softplus
from .activations import softsign as softsign
from .arithmetic import abs as abs
from .arithmetic import add as add
from .arithmetic import cast as cast
from .arithmetic import div as div
from .arithmetic import maximum as maximum
from .arithmetic import minimum as minimum
from .arithmetic import mul as mul
from .arithmetic import neg as neg
from .arithmetic import pow_int as pow_int
from .arithmetic import sign as sign
from .arithmetic import square as square
from .arithmetic import stop_gradient as stop_gradient
from .arithmetic import sub as sub
from .compare import equal as equal
from .compare import greater as greater
from .compare import greater_equal as greater_equal
from .compare import less as less
from .compare import less_equal as less_equal
from .compare import logical_and as logical_and
from .compare import logical_not as logical_not
from .compare import logical_or as logical_or
from .compare import not_equal as not_equal
from .compare import where as where
from .contract import conv2d as conv2d
from .contract import conv2d_dk as conv2d_dk
from .contract import conv2d_dx as conv2d_dx
from .contract import dot as dot
from .contract import linear as linear
from .contract import matmul as matmul
from .curves import atan as atan
from .curves import cos as cos
from .curves import erf as erf
from .curves import exp as exp
from .curves import expm1 as expm1
from .curves import log as log
from .curves import log1p as log1p
from .curves import rsqrt as rsqrt
from .curves import sigmoid as sigmoid
from .curves import sin as sin
from .curves import sqrt as sqrt
from .curves import tanh as tanh
from .move import broadcast as broadcast
from .move import concat as concat
from .move import embedding as embedding
from .move import flip as flip
from .move import pad as pad
from .move import permute as permute
from .move import reshape as reshape
from .move import slice as slice
from .normalise import batch_norm as batch_norm
from .normalise import layer_norm as layer_norm
from .normalise import log_softmax as log_softmax
from .normalise import rms_norm as rms_norm
from .normalise import softmax as softmax
from .order import argsort as argsort
from .order import sort as sort
from .places import gather as gather
from .places import scatter_add as scatter_add
from .pool import avg_pool2d as avg_pool2d
from .pool import max_pool2d as max_pool2d
from .products import cumprod as cumprod
from .products import pow as pow
from .products import prod as prod
from .reduce import amax as amax
from .reduce import amin as amin
from .reduce import argmax as argmax
from .reduce import cumsum as cumsum
from .reduce import mean as mean
from .reduce import sum as sum
from .whole import ceil as ceil
from .whole import floor as floor
from .whole import rem as rem
from .whole import round as round

TABLE: dict[str, Op] = {row.name: row for row in tuple(globals().values()) if isinstance(row, Op)}
"""Every row by name, in the order of the families."""


def coverage() -> dict[str, dict[str, dict[str, str]]]:
    """For each op and meaning the "source" of its rule, or "because" of what there is none.

    Example:
        >>> coverage()["exp"]["interval"]
        {'source': 'monotone: its ends, 4 ulp outward (held against mpmath)'}
        >>> coverage()["exp"]["exact"]
        {'because': 'its values at rational numbers are irrational'}
    """
    return {name: row.coverage() for name, row in TABLE.items()}


__all__ = [
    "Attr",
    "Attrs",
    "CALLS",
    "Cited",
    "MEANINGS",
    "Op",
    "Rule",
    "TABLE",
    "Unsupported",
    "abs",
    "add",
    "amax",
    "amin",
    "argmax",
    "argsort",
    "atan",
    "avg_pool2d",
    "batch_norm",
    "broadcast",
    "call_name",
    "cast",
    "ceil",
    "celu",
    "concat",
    "conv2d",
    "conv2d_dk",
    "conv2d_dx",
    "cos",
    "coverage",
    "cumprod",
    "cumsum",
    "div",
    "dot",
    "elu",
    "embedding",
    "equal",
    "erf",
    "executed",
    "exp",
    "expm1",
    "flip",
    "floor",
    "gather",
    "gelu",
    "greater",
    "greater_equal",
    "hardswish",
    "hardtanh",
    "in_our_words",
    "kept",
    "layer_norm",
    "leaky_relu",
    "less",
    "less_equal",
    "linear",
    "log",
    "log1p",
    "log_softmax",
    "logical_and",
    "logical_not",
    "logical_or",
    "logsigmoid",
    "matmul",
    "max_pool2d",
    "maximum",
    "mean",
    "minimum",
    "mish",
    "mul",
    "neg",
    "not_equal",
    "pad",
    "permute",
    "pow",
    "pow_int",
    "prod",
    "relu",
    "rem",
    "reshape",
    "rms_norm",
    "round",
    "rounded_once",
    "rsqrt",
    "scatter_add",
    "selu",
    "sigmoid",
    "sign",
    "silu",
    "sin",
    "slice",
    "softmax",
    "softplus",
    "softsign",
    "sort",
    "sqrt",
    "square",
    "stop_gradient",
    "sub",
    "sum",
    "tanh",
    "translated",
    "watched",
    "where",
]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)

_prepare()  # every computation goes through ops, so the process is set up before the first one
