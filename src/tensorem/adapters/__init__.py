"""A few trained numbers beside a model that stays as it is: LoRA, DoRA, (IA)3, prefixes."""

from ._adapted import Adapted as Adapted
from ._file import load as load
from ._file import save as save
from ._formula import Params as Params
from ._formula import delta as delta
from ._formula import effective_weight as effective_weight
from ._formula import linear as linear
from ._kinds import IA3 as IA3
from ._kinds import DoRA as DoRA
from ._kinds import LoRA as LoRA
from ._kinds import Prefix as Prefix
from ._merge import Difference as Difference
from ._merge import difference as difference
from ._merge import merge as merge
from ._merge import unmerge as unmerge
from ._models import add as add
from ._models import factors as factors
from ._models import remove as remove
from ._models import use as use

__all__ = [
    "Adapted",
    "Difference",
    "DoRA",
    "IA3",
    "LoRA",
    "Params",
    "Prefix",
    "add",
    "delta",
    "difference",
    "effective_weight",
    "factors",
    "linear",
    "load",
    "merge",
    "remove",
    "save",
    "unmerge",
    "use",
]
