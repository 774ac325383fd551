"""tensorem: one model, many meanings: run it, differentiate it, prove it.

The nouns are loaded when they are first used, so `import tensorem as tm` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import adapters as adapters
    from . import autograd as autograd
    from . import calls as calls
    from . import check as check
    from . import data as data
    from . import domains as domains
    from . import dtypes as dtypes
    from . import errors as errors
    from . import explain as explain
    from . import files as files
    from . import functional as functional
    from . import graph as graph
    from . import layer as layer
    from . import losses as losses
    from . import meanings as meanings
    from . import metrics as metrics
    from . import models as models
    from . import nn as nn
    from . import onnx as onnx
    from . import ops as ops
    from . import optim as optim
    from . import quotients as quotients
    from . import rand as rand
    from . import report as report
    from . import rules as rules
    from . import runtime as runtime
    from . import shapes as shapes
    from . import ssl as ssl
    from . import text as text
    from . import torch as torch
    from . import train as train
    from . import verify as verify
    from .explain import explain_nan as explain_nan
    from .explain import float32_error as float32_error
    from .explain import precision_report as precision_report
    from .explain import trace as trace
    from .files import export_stablehlo as export_stablehlo
    from .files import load as load
    from .files import save as save
    from .meanings import GraphModel as GraphModel
    from .meanings import capture as capture
    from .meanings import coverage as coverage
    from .meanings import evaluate as evaluate
    from .quotients import gradcheck as gradcheck
    from .shapes import Spec as Spec

__version__ = "0.1.0"

__all__ = [
    "GraphModel",
    "Spec",
    "__version__",
    "adapters",
    "autograd",
    "calls",
    "capture",
    "check",
    "coverage",
    "data",
    "domains",
    "dtypes",
    "errors",
    "evaluate",
    "explain",
    "explain_nan",
    "export_stablehlo",
    "files",
    "float32_error",
    "functional",
    "gradcheck",
    "graph",
    "layer",
    "load",
    "losses",
    "meanings",
    "metrics",
    "models",
    "nn",
    "onnx",
    "ops",
    "optim",
    "precision_report",
    "quotients",
    "rand",
    "report",
    "rules",
    "runtime",
    "save",
    "shapes",
    "ssl",
    "text",
    "torch",
    "trace",
    "train",
    "verify",
]

_HOMES = {
    "GraphModel": "meanings",
    "Spec": "shapes",
    "capture": "meanings",
    "coverage": "meanings",
    "evaluate": "meanings",
    "explain_nan": "explain",
    "export_stablehlo": "files",
    "float32_error": "explain",
    "gradcheck": "quotients",
    "load": "files",
    "precision_report": "explain",
    "save": "files",
    "trace": "explain",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        import_module("tensorem.calls").elsewhere("tensorem")(name)
    home = _HOMES.get(name)
    found = getattr(import_module(f"tensorem.{home}"), name) if home else None
    return import_module(f"tensorem.{name}") if home is None else globals().setdefault(name, found)


def __dir__() -> list[str]:
    return __all__
