"""Models on disk: weights, graph and layers, with no Python in them."""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere

from ._bits import load_bits as load_bits
from ._bits import save_bits as save_bits
from ._describe import described as described
from ._describe import description as description
from ._models import load as load
from ._models import load_graph as load_graph
from ._models import save as save

__all__ = [
    "described",
    "description",
    "load",
    "load_bits",
    "load_graph",
    "save",
    "save_bits",
]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)
