"""Sizes, shapes and specs: what an array looks like, before there is one."""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere

from ._equal import differ as differ
from ._equal import unequal as unequal
from ._shape import UNKNOWN_RANK as UNKNOWN_RANK
from ._shape import OpenShape as OpenShape
from ._shape import Shape as Shape
from ._shape import Spec as Spec
from ._shape import bind as bind
from ._shape import broadcast_shapes as broadcast_shapes
from ._shape import format_shape as format_shape
from ._shape import names_in as names_in
from ._shape import numel as numel
from ._shape import require_equal as require_equal
from ._shape import reshape_shape as reshape_shape
from ._shape import same_shape as same_shape
from ._shape import shape_of as shape_of
from ._shape import solve as solve
from ._shape import spec_of as spec_of
from ._size import UNKNOWN as UNKNOWN
from ._size import Poly as Poly
from ._size import Size as Size
from ._size import Unknown as Unknown
from ._size import bind_size as bind_size
from ._size import is_negative as is_negative
from ._size import parse_size as parse_size
from ._size import same_size as same_size
from ._size import size_of as size_of
from ._traced import misfit as misfit
from ._traced import sizes as sizes
from ._traced import undecided as undecided

__all__ = [
    "OpenShape",
    "Poly",
    "Shape",
    "Size",
    "Spec",
    "UNKNOWN",
    "UNKNOWN_RANK",
    "Unknown",
    "bind",
    "bind_size",
    "broadcast_shapes",
    "differ",
    "format_shape",
    "is_negative",
    "misfit",
    "names_in",
    "numel",
    "parse_size",
    "require_equal",
    "reshape_shape",
    "same_shape",
    "same_size",
    "shape_of",
    "size_of",
    "sizes",
    "solve",
    "spec_of",
    "undecided",
    "unequal",
]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)
