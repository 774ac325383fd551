"""Pure programs as graphs of ops: what is serialised, read in other meanings, and proved about."""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere

from ._capture import capture as capture
from ._draw import boxes as boxes
from ._draw import to_dot as to_dot
from ._draw import to_svg as to_svg
from ._graph import Graph as Graph
from ._graph import Node as Node
from ._graph import is_constant as is_constant
from ._identities import REWRITES as REWRITES
from ._identities import Rewrite as Rewrite
from ._identities import fold_batch_norm as fold_batch_norm
from ._identities import fold_constants as fold_constants
from ._identities import fuse_linear as fuse_linear
from ._identities import share_equal as share_equal
from ._json import from_json as from_json
from ._json import graph_hash as graph_hash
from ._json import to_json as to_json
from ._json import weights_hash as weights_hash
from ._models import Captured as Captured
from ._models import Trained as Trained
from ._models import capture_model as capture_model
from ._models import graph_of as graph_of
from ._read import by_rows as by_rows
from ._read import read as read
from ._read import require_bound as require_bound
from ._read import sizes as sizes
from ._rewrite import drop_dead as drop_dead
from ._rewrite import simplify as simplify
from ._rewrite import unroll as unroll
from ._to_jax import to_jax as to_jax
from ._to_jax import to_program as to_program
from ._tree import unflatten as unflatten

__all__ = [
    "Captured",
    "Graph",
    "Node",
    "REWRITES",
    "Rewrite",
    "Trained",
    "boxes",
    "by_rows",
    "capture",
    "capture_model",
    "drop_dead",
    "fold_batch_norm",
    "fold_constants",
    "from_json",
    "fuse_linear",
    "graph_hash",
    "graph_of",
    "is_constant",
    "read",
    "require_bound",
    "share_equal",
    "simplify",
    "sizes",
    "to_dot",
    "to_jax",
    "to_json",
    "to_program",
    "to_svg",
    "unflatten",
    "unroll",
    "weights_hash",
]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)
