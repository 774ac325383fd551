"""What goes into an op or a layer, and what comes out: shapes alone, and no JAX."""

from ._layers import avg_pool2d as avg_pool2d
from ._layers import batch_norm2d as batch_norm2d
from ._layers import check_row as check_row
from ._layers import check_rows as check_rows
from ._layers import columns as columns
from ._layers import conv2d as conv2d
from ._layers import embedding as embedding
from ._layers import flatten as flatten
from ._layers import layer_norm as layer_norm
from ._layers import linear as linear
from ._layers import max_pool2d as max_pool2d
from ._layers import same as same
from ._layers import softmax as softmax
from ._recurrent import check_lengths as check_lengths
from ._recurrent import lengths as lengths
from ._recurrent import sequence as sequence
from ._recurrent import state as state
from ._window import PADDING_MODES as PADDING_MODES
from ._window import Window as Window
from ._window import check_padding as check_padding
from ._window import conv_size as conv_size
from ._window import conv_window as conv_window
from ._window import pair as pair
from ._window import pool_size as pool_size
from ._window import pool_window as pool_window
from ._window import window_counts as window_counts

__all__ = [
    "PADDING_MODES",
    "Window",
    "avg_pool2d",
    "batch_norm2d",
    "check_lengths",
    "check_padding",
    "check_row",
    "check_rows",
    "columns",
    "conv2d",
    "conv_size",
    "conv_window",
    "embedding",
    "flatten",
    "layer_norm",
    "lengths",
    "linear",
    "max_pool2d",
    "pair",
    "pool_size",
    "pool_window",
    "same",
    "sequence",
    "softmax",
    "state",
    "window_counts",
]
