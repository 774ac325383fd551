"""Calls that do not fit: one error for layers, functions, optimizers and training."""

from ._call import called as called
from ._call import check_array as check_array
from ._call import check_call as check_call
from ._named import named as named
from ._ranges import among as among
from ._ranges import at_least as at_least
from ._ranges import flags as flags
from ._ranges import integers as integers
from ._ranges import is_integer as is_integer
from ._ranges import positive as positive
from ._ranges import refused as refused
from ._ranges import within as within

__all__ = [
    "among",
    "at_least",
    "called",
    "check_array",
    "check_call",
    "flags",
    "integers",
    "is_integer",
    "named",
    "positive",
    "refused",
    "within",
]
