"""Models as StableHLO, which other programs of JAX run without our code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export as jax_export

from tensorem import disk, nn
from tensorem.calls import called
from tensorem.errors import ArgumentError, FileError
from tensorem.graph import Graph, to_jax
from tensorem.layer._specs import abstract, leaves
from tensorem.meanings import GraphModel
from tensorem.runtime import precision
from tensorem.shapes import Spec


@dataclass(frozen=True, eq=False)
class Program:
    """A program read from a file of `export_stablehlo`, called as the model was.

    Args:
        exported: What JAX makes of the file.
    """

    exported: jax_export.Exported

    def __call__(self, *xs: Any) -> Any:
        """The result; sizes that have names may be any.

        Raises:
            ValueError: The arrays are not of the shapes and dtypes of `text`; JAX says which.
        """
        return jax.tree.map(np.asarray, self.exported.call(*xs))

    @property
    def text(self) -> str:
        """The program as text, in MLIR."""
        return str(self.exported.mlir_module())


@called
def export_stablehlo(model: nn.Model | GraphModel | Graph, path: str | Path) -> Path:
    """Write a model in evaluation as StableHLO, with its weights, in the form of `jax.export`.

    Sizes that have names keep them. The file is of the platform that JAX computes on here, and JAX
    promises to read it for half a year at least.

    Args:
        model: A model; a graph, where all its sizes are numbers.
        path: The file.

    Raises:
        ArgumentError: It is no model and no graph, or a graph whose sizes have names.
        FileError: The file cannot be written.

    Example:
        >>> import tempfile
        >>> model = nn.build(nn.Linear(3, 2), input=("N", 3))
        >>> path = export_stablehlo(model, Path(tempfile.mkdtemp()) / "linear.stablehlo")
        >>> load_stablehlo(path)(np.ones((4, 3), np.float32)).shape
        (4, 2)
    """
    f, specs = _function(model)
    with precision(spec.dtype for spec in leaves(specs)):
        shapes = jax.tree.map(abstract, specs, is_leaf=lambda s: isinstance(s, Spec))
        content = jax_export.export(jax.jit(f))(*shapes).serialize()
    at = disk.path_of(path)
    disk.write_whole(at, bytes(content))
    return at


def load_stablehlo(path: str | Path) -> Program:
    """The program in a file of `export_stablehlo`, or any that `jax.export` wrote.

    Raises:
        FileError: It cannot be read, or is no such file.
    """
    at = disk.path_of(path)
    content = disk.read_whole(at)
    try:
        return Program(jax_export.deserialize(bytearray(content)))
    except Exception as error:  # flatbuffers and JAX raise what they like
        raise FileError(
            f"{at} is no program of jax.export.", because=f"{type(error).__name__}: {error}"
        ) from None


def _function(model: nn.Model | GraphModel | Graph) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A pure function of the inputs, and their specs."""
    if isinstance(model, nn.Model):
        given, params = model.input, model.params
        specs = given if isinstance(given, tuple) else (given,)
        return lambda *xs: model.apply(params, *xs), specs
    graph = model.graph if isinstance(model, GraphModel) else model
    if not isinstance(graph, Graph):
        raise ArgumentError(f"takes a model or a graph, got {type(model).__name__}.")
    if graph.names:
        free = ", ".join(f"{name}=1" for name in sorted(graph.names))
        raise ArgumentError(
            f"takes a graph whose sizes are numbers, got {', '.join(sorted(graph.names))}.",
            help=f"write graph.bind({free})",
        )
    given = GraphModel(graph).input
    return to_jax(graph), given if isinstance(given, tuple) else (given,)
