"""PyTorch: exported programs as graphs, and modules as layers with their weights.

PyTorch itself is never imported: what is given brings it along.
"""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere

from ._aten import operators as operators
from ._load import load as load
from ._model import model as model

__all__ = ["load", "model", "operators"]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)
