"""Number systems: exact rationals, balls of any precision, intervals, linear bounds.

No operation is named here.
"""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere

from ._ball import Ball as Ball
from ._exact import Rational as Rational
from ._executed import Executed as Executed
from ._executed import Share as Share
from ._interval import End as End
from ._interval import Interval as Interval
from ._lines import Diagonal as Diagonal
from ._lines import Linear as Linear
from ._lines import Lines as Lines
from ._lines import Map as Map
from ._lines import equation as equation
from ._lines import flat as flat

__all__ = [
    "Ball",
    "Diagonal",
    "End",
    "Executed",
    "Interval",
    "Linear",
    "Lines",
    "Map",
    "Rational",
    "Share",
    "equation",
    "flat",
]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)
