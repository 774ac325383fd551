"""What makes layers work: the layer, one forward pass, `build`, and the model that comes of it."""

from ._around import Around as Around
from ._bind import EVALUATION as EVALUATION
from ._bind import Context as Context
from ._bind import eager as eager
from ._build import build as build
from ._built import Built as Built
from ._carry import Carried as Carried
from ._carry import adjust as adjust
from ._carry import carry as carry
from ._carry import supply as supply
from ._check import ruled as ruled
from ._declare import declarations as declarations
from ._declared import Buffer as Buffer
from ._declared import Derived as Derived
from ._declared import Initialiser as Initialiser
from ._declared import Parameter as Parameter
from ._held import Held as Held
from ._layer import Layer as Layer
from ._log import Call as Call
from ._log import Log as Log
from ._model import Model as Model
from ._paths import near as near
from ._specs import Tree as Tree
from ._specs import shape_tree as shape_tree
from ._spelling import Programs as Programs
from ._spelling import Spelling as Spelling
from ._spelling import spelled as spelled
from ._start import Declared as Declared
from ._start import Scheme as Scheme
from ._summary import LayerInfo as LayerInfo
from ._tree import join as join
from ._tree import parts as parts
from ._tree import rebuilt as rebuilt
from ._tree import walk as walk

__all__ = [
    "Around",
    "Buffer",
    "Built",
    "Call",
    "Carried",
    "Context",
    "Declared",
    "Derived",
    "EVALUATION",
    "Held",
    "Initialiser",
    "Layer",
    "LayerInfo",
    "Log",
    "Model",
    "Parameter",
    "Programs",
    "Scheme",
    "Spelling",
    "Tree",
    "adjust",
    "build",
    "carry",
    "declarations",
    "eager",
    "join",
    "near",
    "parts",
    "rebuilt",
    "ruled",
    "shape_tree",
    "spelled",
    "supply",
    "walk",
]
