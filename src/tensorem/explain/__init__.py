"""What happens inside of a model: where values stop being finite, and what every layer gives."""

from ._nan import Explanation as Explanation
from ._nan import Origin as Origin
from ._nan import explain_nan as explain_nan
from ._numbers import Numbers as Numbers
from ._trace import LayerOutput as LayerOutput
from ._trace import Trace as Trace
from ._trace import trace as trace

__all__ = [
    "Explanation",
    "LayerOutput",
    "Numbers",
    "Origin",
    "Trace",
    "explain_nan",
    "trace",
]
