"""The independent checker: graph, weights and certificate in, verdict out.

It recomputes every bound itself, in float64 with proved error terms or in exact rationals, and
trusts nothing that the prover computed. NumPy and the standard library only; nothing of tensorem's.
docs/checker.md states what an accepted claim means, and proves each error term.
"""

from ._check import Checker as Checker
from ._check import Result as Result
from ._check import check as check
from ._check import check_files as check_files
from ._check import prepare as prepare
from ._check import prepare_files as prepare_files
from ._check import read_certificate as read_certificate
from ._errors import MalformedError as MalformedError
from ._errors import UnsupportedError as UnsupportedError
from ._lower import KNOWN as KNOWN

__all__ = [
    "Checker",
    "KNOWN",
    "MalformedError",
    "Result",
    "UnsupportedError",
    "check",
    "check_files",
    "prepare",
    "prepare_files",
    "read_certificate",
]
