"""What the library advises in Python, in flags."""

from __future__ import annotations

import ast
import re
import shlex

_RESUME = re.compile(r"""train\.resume\(('.*?[^\\]'|".*?[^\\]"), model, data[^)]*\)""")
_CLASSES = re.compile(r"read_csv\(path, classes=(\(.*?\))\)\.$", re.MULTILINE)
_DELIMITER = re.compile(r"read_csv\(path, delimiter=[^)]*\)")
_WORDS = {
    "read_csv(path, header=False)": "tensorem train --no-header",
    "train.resume takes epochs of": "--epochs takes",
    "train again with train.fit": "train again with tensorem train",
}


def in_flags(told: str) -> str:
    """A message of the library as the command line says it."""
    for word, flag in _WORDS.items():
        told = told.replace(word, flag)
    told = _CLASSES.sub(lambda call: f"tensorem train --classes {_words(call)}", told)
    told = _DELIMITER.sub("write a comma there", told)
    return _RESUME.sub(lambda call: f"tensorem resume {_run(call)}", told)


def _words(call: re.Match[str]) -> str:
    return shlex.join(ast.literal_eval(call[1]))


def _run(call: re.Match[str]) -> str:
    return shlex.quote(ast.literal_eval(call[1]))
