"""What the library advises in Python, in flags."""

from __future__ import annotations

import ast
import re
import shlex

_RESUME = re.compile(r"""train\.resume\(('.*?[^\\]'|".*?[^\\]"), model, data[^)]*\)""")
_HEADER = "read_csv(path, header=False)"


def in_flags(told: str) -> str:
    """A message of the library as the command line says it."""
    told = told.replace(_HEADER, "tensorem train --no-header")
    return _RESUME.sub(lambda call: f"tensorem train --resume {_run(call)}", told)


def _run(call: re.Match[str]) -> str:
    return shlex.quote(ast.literal_eval(call[1]))
