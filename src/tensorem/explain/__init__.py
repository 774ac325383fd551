"""What happens inside of a model: where values stop being finite, and what every layer gives."""

from ._float32 import ErrorPart as ErrorPart
from ._float32 import Float32Error as Float32Error
from ._float32 import float32_error as float32_error
from ._nan import Explanation as Explanation
from ._nan import Origin as Origin
from ._nan import explain_nan as explain_nan
from ._numbers import Numbers as Numbers
from ._precision import LayerPrecision as LayerPrecision
from ._precision import PrecisionReport as PrecisionReport
from ._precision import precision_report as precision_report
from ._trace import LayerOutput as LayerOutput
from ._trace import Trace as Trace
from ._trace import trace as trace

__all__ = [
    "ErrorPart",
    "Explanation",
    "Float32Error",
    "LayerOutput",
    "LayerPrecision",
    "Numbers",
    "Origin",
    "PrecisionReport",
    "Trace",
    "explain_nan",
    "float32_error",
    "precision_report",
    "trace",
]
