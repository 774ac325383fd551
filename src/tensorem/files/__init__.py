"""Models on disk: weights, graph and layers, with no Python in them."""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere

from ._describe import described as described
from ._describe import description as description
from ._models import load as load
from ._models import load_graph as load_graph
from ._models import save as save

__all__ = [
    "described",
    "description",
    "load",
    "load_graph",
    "save",
]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)
