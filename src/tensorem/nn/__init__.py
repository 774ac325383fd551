"""The layers, family by family, and `build`, which makes models of them."""

from tensorem.layer import EVALUATION as EVALUATION
from tensorem.layer import Buffer as Buffer
from tensorem.layer import Context as Context
from tensorem.layer import Layer as Layer
from tensorem.layer import Model as Model
from tensorem.layer import Parameter as Parameter
from tensorem.layer import build as build
from tensorem.layer import eager as eager

from . import _init as init
from . import examples as examples
from ._activation import Flatten as Flatten
from ._activation import Identity as Identity
from ._activation import LeakyReLU as LeakyReLU
from ._activation import ReLU as ReLU
from ._activation import Sigmoid as Sigmoid
from ._activation import Softmax as Softmax
from ._activation import Softplus as Softplus
from ._activation import Tanh as Tanh
from ._combine import Input as Input
from ._combine import Residual as Residual
from ._combine import Sequential as Sequential
from ._combine import share as share
from ._conv import Conv2d as Conv2d
from ._dropout import Dropout as Dropout
from ._embedding import Embedding as Embedding
from ._linear import Linear as Linear
from ._norm import BatchNorm2d as BatchNorm2d
from ._norm import LayerNorm as LayerNorm
from ._pool import AvgPool2d as AvgPool2d
from ._pool import MaxPool2d as MaxPool2d
from ._recurrent import GRU as GRU
from ._recurrent import LSTM as LSTM
from ._recurrent import RNN as RNN
from ._recurrent import GRUCell as GRUCell
from ._recurrent import LSTMCell as LSTMCell
from ._recurrent import RNNCell as RNNCell
from ._scale import Standardize as Standardize
from ._scale import Unstandardize as Unstandardize

__all__ = [
    "AvgPool2d",
    "BatchNorm2d",
    "Buffer",
    "Context",
    "Conv2d",
    "Dropout",
    "EVALUATION",
    "Embedding",
    "Flatten",
    "GRU",
    "GRUCell",
    "Identity",
    "Input",
    "LSTM",
    "LSTMCell",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "Model",
    "Parameter",
    "RNN",
    "RNNCell",
    "ReLU",
    "Residual",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Standardize",
    "Tanh",
    "Unstandardize",
    "build",
    "eager",
    "examples",
    "init",
    "share",
]
