"""Calls that do not fit: one error for layers, functions, optimizers and training."""

from ._call import called as called
from ._call import check_array as check_array
from ._call import check_call as check_call
from ._call import form_of as form_of
from ._elsewhere import ELSEWHERE as ELSEWHERE
from ._elsewhere import elsewhere as elsewhere
from ._named import named as named
from ._named import unless_named as unless_named
from ._named import unnamed as unnamed
from ._ranges import ABOVE_0 as ABOVE_0
from ._ranges import ANY as ANY
from ._ranges import AT_LEAST_0 as AT_LEAST_0
from ._ranges import FROM_0_BELOW_1 as FROM_0_BELOW_1
from ._ranges import FROM_0_TO_1 as FROM_0_TO_1
from ._ranges import OTHER_THAN_0 as OTHER_THAN_0
from ._ranges import Range as Range
from ._ranges import among as among
from ._ranges import batch_first as batch_first
from ._ranges import each as each
from ._ranges import flag as flag
from ._ranges import integer as integer
from ._ranges import integers as integers
from ._ranges import number as number

__all__ = [
    "ABOVE_0",
    "ANY",
    "AT_LEAST_0",
    "ELSEWHERE",
    "FROM_0_BELOW_1",
    "FROM_0_TO_1",
    "OTHER_THAN_0",
    "Range",
    "among",
    "batch_first",
    "called",
    "check_array",
    "check_call",
    "each",
    "elsewhere",
    "flag",
    "form_of",
    "integer",
    "integers",
    "named",
    "number",
    "unless_named",
    "unnamed",
]
