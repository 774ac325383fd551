"""Every exception that tensorem raises on purpose, and the one form of their messages.

    TensoremError
    ├── ShapeError         (ValueError)           sizes that do not fit
    ├── DTypeError         (TypeError)            a dtype that does not fit or cannot do this
    ├── ArgumentError      (ValueError)           an argument or flag out of its range
    ├── PathError          (KeyError)             a parameter path or name that matches nothing
    ├── LayerError         (RuntimeError)         a layer used where it cannot work
    ├── MeaningError       (NotImplementedError)  an op that cannot be read in this meaning
    ├── CaptureError       (NotImplementedError)  a program that cannot become a graph
    ├── GraphError         (ValueError)           a graph that is not well formed
    ├── DataError          (ValueError)           wrong values: labels, rows, targets
    ├── FileError          (OSError)              a file that is missing, malformed, unwritable
    ├── ResumeError        (RuntimeError)         a run that cannot be continued here
    └── CertificateError   (ValueError)           a certificate that is malformed

A message says what, where, why and what to do; each line after the first only if it says something:

    ShapeError: Linear(127 -> 10) takes (*batch, 127), got (N, 128).
      where: model[2], after model[1] ReLU  (N, 128) -> (N, 128)
      from:  128 is set by model[0] Linear(784 -> 128)
      help:  write nn.Linear(128, 10), or make model[0] nn.Linear(784, 127).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

_LABELS = ("where", "from", "because", "help")


class TensoremError(Exception):
    """The root of every error that tensorem raises on purpose.

    Args:
        what: One sentence: what takes what, and what it got.
        where: The path in the model, graph or file.
        source: Where the offending value came from (printed as `from:`).
        because: The mathematical reason.
        help: One thing to do about it.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        source: str = "",
        because: str = "",
        help: str = "",
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.source = source
        self.because = because
        self.help = help

    def __str__(self) -> str:
        notes = (self.where, self.source, self.because, self.help)
        width = max((len(n) for n, v in zip(_LABELS, notes, strict=True) if v), default=0)
        lines = [self.what]
        for label, note in zip(_LABELS, notes, strict=True):
            if note:
                lines.append(f"  {label + ':':<{width + 1}} {note}")
        return "\n".join(lines)

    def with_notes(
        self,
        *,
        owner: str = "",
        where: str = "",
        source: str = "",
        because: str = "",
        help: str = "",
    ) -> Self:
        """The same error with the notes that it did not have yet, and an owner in front."""
        return type(self)(
            f"{owner} {self.what}" if owner else self.what,
            where=self.where or where,
            source=self.source or source,
            because=self.because or because,
            help=self.help or help,
        )


class ShapeError(TensoremError, ValueError):
    """Sizes that do not fit.

    Args:
        names: The names in sizes that must be equal and are not: a model knows where they are set.
    """

    def __init__(self, what: str, *, names: Iterable[str] = (), **notes: str) -> None:
        super().__init__(what, **notes)
        self.names = tuple(names)

    def with_notes(self, **notes: str) -> Self:
        error = super().with_notes(**notes)
        error.names = self.names
        return error


class DTypeError(TensoremError, TypeError):
    """A dtype that does not fit, or that cannot do what is asked."""


class ArgumentError(TensoremError, ValueError):
    """A hyper-parameter, option or flag out of its range."""


class PathError(TensoremError, KeyError):
    """A parameter path or name that matches nothing."""


class LayerError(TensoremError, RuntimeError):
    """A layer used where it cannot work."""


class MeaningError(TensoremError, NotImplementedError):
    """An op that cannot be read in this meaning."""


class CaptureError(TensoremError, NotImplementedError):
    """A program that cannot become a graph."""


class GraphError(TensoremError, ValueError):
    """A graph that is not well formed."""


class DataError(TensoremError, ValueError):
    """Values that are not what they should be: labels, rows, targets."""


class FileError(TensoremError, OSError):
    """A file that is missing, malformed or cannot be written."""


class ResumeError(TensoremError, RuntimeError):
    """A run that cannot be continued here."""


class CertificateError(TensoremError, ValueError):
    """A certificate that is malformed."""
