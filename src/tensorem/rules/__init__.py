"""What goes into an op and what comes out: one rule for each over partly known specs, and no JAX.

A rule takes the Specs of the operands and the attributes, and gives the Spec of the result. It
checks what is known and lets the rest pass: sizes and ranks may be unknown; a size with a name is
known, and must be right for all values of the name. The rows of `ops`, the functions and the layers
all ask these. The message of an error begins with `takes`: who was called puts its own name in
front (`calls.named`).
"""

from ._attention import ROTARY_STYLES as ROTARY_STYLES
from ._attention import WEIGHTINGS as WEIGHTINGS
from ._attention import attention as attention
from ._attention import attention_scores as attention_scores
from ._attention import attention_values as attention_values
from ._attention import check_direction as check_direction
from ._attention import check_mask as check_mask
from ._attention import embedding_bag as embedding_bag
from ._attention import grouped_heads as grouped_heads
from ._attention import vectors as vectors
from ._contract import dot as dot
from ._contract import linear as linear
from ._contract import matmul as matmul
from ._convolution import check_groups as check_groups
from ._convolution import conv as conv
from ._convolution import conv2d as conv2d
from ._convolution import conv2d_dk as conv2d_dk
from ._convolution import conv2d_dx as conv2d_dx
from ._convolution import conv_transpose as conv_transpose
from ._convolution import kernel_of as kernel_of
from ._elementwise import alike as alike
from ._elementwise import cast as cast
from ._elementwise import floating as floating
from ._elementwise import floats as floats
from ._elementwise import leaky_relu as leaky_relu
from ._elementwise import logic as logic
from ._elementwise import numbers as numbers
from ._elementwise import one_dtype as one_dtype
from ._elementwise import pow_int as pow_int
from ._elementwise import predicate as predicate
from ._elementwise import same as same
from ._elementwise import signed as signed
from ._elementwise import where as where
from ._gate import halved as halved
from ._gate import prelu as prelu
from ._kinds import DType as DType
from ._kinds import Kind as Kind
from ._kinds import Whole as Whole
from ._kinds import kinds as kinds
from ._known import axes as axes
from ._known import axis as axis
from ._known import end as end
from ._known import of_rank as of_rank
from ._known import with_end as with_end
from ._move import broadcast as broadcast
from ._move import check_row as check_row
from ._move import check_rows as check_rows
from ._move import concat as concat
from ._move import embedding as embedding
from ._move import flatten as flatten
from ._move import flip as flip
from ._move import pad as pad
from ._move import permute as permute
from ._move import reshape as reshape
from ._move import slice as slice
from ._normalise import batch_norm as batch_norm
from ._normalise import columns as columns
from ._normalise import layer_norm as layer_norm
from ._normalise import rms_norm as rms_norm
from ._normalise import softmax as softmax
from ._normalise import with_channels as with_channels
from ._order import argsort as argsort
from ._order import gather as gather
from ._order import scatter_add as scatter_add
from ._order import sort as sort
from ._pool import avg_pool2d as avg_pool2d
from ._pool import max_pool2d as max_pool2d
from ._pool import pool as pool
from ._recurrent import check_lengths as check_lengths
from ._recurrent import lengths as lengths
from ._recurrent import next_state as next_state
from ._recurrent import sequence as sequence
from ._recurrent import state as state
from ._reduce import along as along
from ._reduce import argmax as argmax
from ._reduce import mean as mean
from ._reduce import some_of as some_of
from ._reduce import sums as sums
from ._resize import adaptive_pool as adaptive_pool
from ._resize import global_pool as global_pool
from ._resize import interpolate as interpolate
from ._resize import lp_pool as lp_pool
from ._resize import pixel_shuffle as pixel_shuffle
from ._resize import pixel_unshuffle as pixel_unshuffle
from ._window import PADDING_MODES as PADDING_MODES
from ._window import Numbers as Numbers
from ._window import Padding as Padding
from ._window import Window as Window
from ._window import check_frame as check_frame
from ._window import check_padding as check_padding
from ._window import conv_size as conv_size
from ._window import conv_window as conv_window
from ._window import image_of as image_of
from ._window import moves as moves
from ._window import of_batches as of_batches
from ._window import pool_size as pool_size
from ._window import pool_window as pool_window
from ._window import positions as positions
from ._window import window_counts as window_counts

__all__ = [
    "DType",
    "Kind",
    "Numbers",
    "PADDING_MODES",
    "Padding",
    "ROTARY_STYLES",
    "WEIGHTINGS",
    "Whole",
    "Window",
    "adaptive_pool",
    "alike",
    "along",
    "argmax",
    "argsort",
    "attention",
    "attention_scores",
    "attention_values",
    "avg_pool2d",
    "axes",
    "axis",
    "batch_norm",
    "broadcast",
    "cast",
    "check_direction",
    "check_frame",
    "check_groups",
    "check_lengths",
    "check_mask",
    "check_padding",
    "check_row",
    "check_rows",
    "columns",
    "concat",
    "conv",
    "conv2d",
    "conv2d_dk",
    "conv2d_dx",
    "conv_size",
    "conv_transpose",
    "conv_window",
    "dot",
    "embedding",
    "embedding_bag",
    "end",
    "flatten",
    "flip",
    "floating",
    "floats",
    "gather",
    "global_pool",
    "grouped_heads",
    "halved",
    "image_of",
    "interpolate",
    "kernel_of",
    "kinds",
    "layer_norm",
    "leaky_relu",
    "lengths",
    "linear",
    "logic",
    "lp_pool",
    "matmul",
    "max_pool2d",
    "mean",
    "moves",
    "next_state",
    "numbers",
    "of_batches",
    "of_rank",
    "one_dtype",
    "pad",
    "permute",
    "pixel_shuffle",
    "pixel_unshuffle",
    "pool",
    "pool_size",
    "pool_window",
    "positions",
    "pow_int",
    "predicate",
    "prelu",
    "reshape",
    "rms_norm",
    "same",
    "scatter_add",
    "sequence",
    "signed",
    "slice",
    "softmax",
    "some_of",
    "sort",
    "state",
    "sums",
    "vectors",
    "where",
    "window_counts",
    "with_channels",
    "with_end",
]
