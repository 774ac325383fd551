"""Models on disk: weights, graph and layers, with no Python in them; and weights of others."""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere

from ._bits import load_bits as load_bits
from ._bits import save_bits as save_bits
from ._describe import described as described
from ._describe import description as description
from ._keras import KERAS as KERAS
from ._models import load as load
from ._models import load_graph as load_graph
from ._models import save as save
from ._stablehlo import Program as Program
from ._stablehlo import export_stablehlo as export_stablehlo
from ._stablehlo import load_stablehlo as load_stablehlo
from ._weights import Table as Table
from ._weights import To as To
from ._weights import read_weights as read_weights
from ._weights import renamed as renamed

__all__ = [
    "KERAS",
    "Program",
    "Table",
    "To",
    "described",
    "description",
    "export_stablehlo",
    "load",
    "load_bits",
    "load_graph",
    "load_stablehlo",
    "read_weights",
    "renamed",
    "save",
    "save_bits",
]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)
