"""Robustness on boxes: bounds and attacks in one compiled program, then checked one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypedDict, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

from tensorem.calls import among, integer, named
from tensorem.domains import End
from tensorem.dtypes import as_numbers, taken
from tensorem.errors import ArgumentError, DTypeError, ShapeError
from tensorem.graph import Captured, Graph, Trained, to_program
from tensorem.ops._derive import boxed
from tensorem.shapes import format_shape
from tensorem.verify._attack import worst
from tensorem.verify._bounds import Bounds, Propagation
from tensorem.verify._claim import Claim, clip_range, float32_box, float32_range, radius
from tensorem.verify._classifier import Classifier, Structure
from tensorem.verify._proof import Proof

Method = Literal["crown", "ibp"]
Least = tuple[dict[str, Array], dict[str, Array]]
T = TypeVar("T")
CHUNK = 50
"""Boxes in one call of the compiled program."""


class Found(TypedDict):
    """What the compiled program finds, a row for each box."""

    center: np.ndarray
    margins: dict[str, np.ndarray]
    evidence: dict[str, np.ndarray]
    point: np.ndarray
    miss: np.ndarray


class Row(Found):
    """The same for one box, and what the classifier gives at its centre."""

    outputs: np.ndarray


@dataclass(frozen=True, eq=False)
class Prover:
    """Proves or refutes that a classifier keeps its label on boxes around inputs.

    Made by `Prover.of`; one compiled program serves all inputs and radii.

    Args:
        classifier: The graph, and its other readings.
        clip: The least and greatest value that an input can have, as decimals.
    """

    classifier: Classifier
    clip: tuple[str, str] | None = None

    @staticmethod
    def of(model: Trained | Captured | Graph, clip: tuple[float, float] | None = None) -> Prover:
        """A prover for a model or graph that classifies; the batch axis is bound to 1.

        Args:
            model: A model or graph.
            clip: As `robust` takes it.

        Raises:
            ShapeError: It does not take one array and give (N, classes).
            MeaningError: One of its ops has no bounds, or is none that the checker knows.
            ArgumentError: clip is not a range.
        """
        classifier = Classifier.of(model)
        Propagation.of(classifier.graph)
        _ = classifier.checker
        return Prover(classifier, None if clip is None else clip_range(clip))

    def robust(self, x: ArrayLike, label: int, eps: float | str, method: Method = "crown") -> Proof:
        """Is the output `label` strictly above all others, everywhere within eps of x?

        Shapes:
            x as the model takes it, without the batch axis or with one of size 1.

        Args:
            x: The centre of the box, float32.
            label: Index of the output.
            eps: Radius of the box in input units (L-infinity); a float means its printed decimal.
            method: "crown", or "ibp" for interval bounds only.

        Raises:
            ShapeError: x is not one input of the model.
            DTypeError: x is an array of another dtype than float32, or holds no such numbers.
            ArgumentError: The label, radius or method is out of its range, or x lies outside clip.
        """
        return self.robust_all(_array(x)[None], [label], eps, method)[0]

    def robust_all(
        self, xs: ArrayLike, labels: Sequence[int], eps: float | str, method: Method = "crown"
    ) -> list[Proof]:
        """`robust` for every input of a batch, with one radius.

        Raises:
            ShapeError: The inputs are not a batch of inputs of the model, one for each label.
            DTypeError: They are an array of another dtype than float32, or hold no such numbers.
            ArgumentError: A label, the radius or the method is out of its range, or an input
            outside clip.
        """
        with named("A proof"):
            among("method", method, ("crown", "ibp"))
        return self._robust(xs, labels, eps, (method,))[method]

    def compare(
        self, xs: ArrayLike, labels: Sequence[int], eps: float | str
    ) -> dict[Method, list[Proof]]:
        """`robust_all` by each method, in little more time than by one.

        Raises:
            ShapeError: As `robust_all`.
            ArgumentError: As `robust_all`.
        """
        return self._robust(xs, labels, eps, ("crown", "ibp"))

    def margins(
        self, xs: ArrayLike, labels: Sequence[int], eps: float | str, method: Method = "crown"
    ) -> np.ndarray:
        """The lower bounds reached on y[label] - y[other] within eps: estimates, nothing proved.

        Raises:
            ShapeError: As `robust_all`.
            ArgumentError: As `robust_all`.
        """
        with named("A proof"):
            among("method", method, ("crown", "ibp"))
        found = self._search(xs, self._labels(labels), radius(eps))
        return found["margins"][method]

    def _robust(
        self, xs: ArrayLike, labels: Sequence[int], eps: float | str, methods: tuple[Method, ...]
    ) -> dict[Method, list[Proof]]:
        reach, labels = radius(eps), self._labels(labels)
        found = self._search(xs, labels, reach)
        outputs = np.stack([self.classifier.outputs(x) for x in found["center"]])
        both: Row = {**found, "outputs": outputs}
        rows: list[Row] = [jax.tree.map(lambda a, i=i: a[i], both) for i in range(len(labels))]
        return {
            method: [
                self._judge(self._claim(label, reach, method), row)
                for label, row in zip(labels, rows, strict=True)
            ]
            for method in methods
        }

    def _claim(self, label: int, eps: str, method: Method) -> Claim:
        own = self.classifier
        return Claim(own.structure.digest, own.weights, label, eps, self.clip, method)

    def _centers(self, inputs: ArrayLike, count: int) -> np.ndarray:
        xs, shape = _array(inputs), self.classifier.shape
        if xs.dtype.name != "float32":
            raise DTypeError(
                f"A proof takes float32 inputs, got {xs.dtype.name}.",
                help="write x.astype(np.float32): the claim is about exactly these numbers.",
            )
        if not count or len(xs) != count:
            raise ShapeError(
                f"A proof takes a label for each input, got {count} labels and inputs "
                f"{format_shape(xs.shape)}."
            )
        if xs.shape not in ((count, *shape), (count, *shape[1:])):
            one = format_shape(shape[1:])
            raise ShapeError(f"A proof takes inputs {one}, got {format_shape(xs.shape[1:])}.")
        centers: np.ndarray = xs.reshape(count, *shape).astype(np.float32, copy=False)
        self._require_within(centers)
        return centers

    def _require_within(self, centers: np.ndarray) -> None:
        """No claim is about nothing: a centre lies in its own box."""
        least, greatest = float(centers.min()), float(centers.max())
        low, high = float32_range(self.clip)
        if not (low <= least and greatest <= high and np.isfinite([least, greatest]).all()):
            raise ArgumentError(
                f"A proof takes finite inputs within clip {self.clip or 'none'}, got {least} to "
                f"{greatest}.",
                help="widen clip, or write its ends as floats: 0.3 holds float32(0.3), the "
                'decimal "0.3" does not.',
            )

    def _labels(self, labels: Sequence[int]) -> list[int]:
        if not np.iterable(labels):
            raise ArgumentError(f"labels takes a list of integers, got {labels!r}.")
        plain = [np.asarray(v).item() if np.ndim(v) == 0 else v for v in labels]
        with named("A proof"):
            return [integer("label", v, 0, self.classifier.classes - 1) for v in plain]

    def _search(self, xs: ArrayLike, labels: Sequence[int], eps: str) -> Found:
        """What the compiled program finds, on chunks of one size, the last filled up."""
        centers = self._centers(xs, len(labels))
        ends = float32_box(centers, eps, self.clip)
        arrays = (centers, *ends, np.asarray(labels, np.int32))
        program, size = _program(self.classifier.structure), min(CHUNK, len(labels))
        parts = []
        for start in range(0, len(labels), size):
            rows = np.minimum(np.arange(start, start + size), len(labels) - 1)
            parts.append(
                jax.device_get(program(self.classifier.graph.arrays, *(a[rows] for a in arrays)))
            )
        joined: Found = jax.tree.map(lambda *p: np.concatenate(p)[: len(labels)], *parts)
        return {**joined, "center": centers}

    def _judge(self, claim: Claim, found: Row) -> Proof:
        """A verdict needs evidence that `Proof.check` accepts."""
        margin, own = float(found["margins"][claim.method]), self.classifier
        center = found["center"]
        if found["miss"] >= 0:
            proof = Proof("refuted", claim, center, margin, own, counterexample=found["point"])
            if proof.check():
                return proof
        if margin > 0:
            evidence = found["evidence"] if claim.method == "crown" else {}
            arrays = {"center": center, "outputs": found["outputs"], **evidence}
            proof = Proof("proved", claim, center, margin, own, arrays=arrays)
            if proof.check():
                return proof
        return Proof("unknown", claim, center, margin, own)


def robust(
    model: Trained | Captured | Graph,
    x: ArrayLike,
    label: int,
    eps: float | str,
    *,
    clip: tuple[float, float] | None = None,
    method: Method = "crown",
) -> Proof:
    """Is the output `label` strictly above all others, everywhere within eps of x (L-infinity)?

    Args:
        model: A model or graph that classifies.
        x: The centre, float32, without the batch axis or with one of size 1.
        label: Index of the output.
        eps: Radius in input units; a float means the decimal that Python prints for it.
        clip: The least and greatest value that an input can have, both included. A float means its
            printed decimal, or the nearest float32 (rounded outward to nine digits) where that lies
            further out, so that (0, 0.3) holds the pixel float32(0.3); a text is taken exactly.
        method: "crown", or "ibp" for interval bounds only.

    Returns:
        A proof: its `verdict` is "proved", "refuted" or "unknown", and `check()` judges its
        evidence again.

    Raises:
        ShapeError: The model is no classifier, or x is not one of its inputs.
        DTypeError: The model or x is of another dtype than float32.
        ArgumentError: label, eps, clip or method is out of its range.
        MeaningError: One of the model's ops has no bounds.

    Source:
        Bounds: Zhang et al. 2018 (CROWN), Theorem 3.2; attack: Madry et al. 2018, section 2.1.
    """
    return Prover.of(model, clip).robust(x, label, eps, method)


@lru_cache(maxsize=16)
def _program(structure: Structure) -> Callable[..., Any]:
    """(weights, centres, lower, upper, labels) -> margins, evidence and worst points, compiled."""
    graph = structure.graph
    run = to_program(graph)

    def one(
        arrays: Mapping[str, Array], center: Array, lower: Array, upper: Array, label: Array
    ) -> dict[str, Any]:
        outputs = lambda x: run(arrays, x)[0]  # noqa: E731
        point, miss = worst(outputs, center, lower, upper, label)
        margins, evidence = _bound(Propagation(graph, arrays), lower, upper, label)
        return {
            "margins": margins, "evidence": evidence, "point": point, "miss": miss,
        }  # fmt: skip

    return _broadcasting(jax.jit(jax.vmap(one, in_axes=(None, 0, 0, 0, 0))))


def _broadcasting(program: Callable[..., T]) -> Callable[..., T]:
    """The program traced with JAX's own broadcasting, whatever the user's setting for theirs."""

    def run(*arguments: object) -> T:
        with jax.numpy_rank_promotion("allow"):
            return program(*arguments)

    return run


def _bound(propagation: Propagation, lower: Array, upper: Array, label: Array) -> Least:
    """The least margin of the label, by both methods, and what the checker needs."""
    name = propagation.graph.outputs[0]
    crown = propagation.crown(lower, upper)
    ibp = boxed(propagation.intervals(lower, upper).boxes[name])
    classes = ibp.shape[1]
    own = jnp.arange(classes) == label
    rows = own[None].astype(lower.dtype) - jnp.eye(classes, dtype=lower.dtype)
    linear = propagation.lower(rows[:, None], name, crown)
    margins: dict[str, End] = {"crown": linear, "ibp": ibp.lower[0, label] - ibp.upper[0]}
    least = {k: jnp.min(jnp.where(own, jnp.inf, m)) for k, m in margins.items()}
    return least, _evidence(propagation, crown)


def _evidence(propagation: Propagation, bounds: Bounds) -> dict[str, Array]:
    """What a certificate carries: for every bend what its row says that the checker needs."""
    arrays: dict[str, Array] = {}
    for node in propagation.varying:
        if node.row.evidence is None:
            continue
        [name] = node.outputs
        boxes = (bounds.boxes[i] for i in node.inputs)
        told = node.row.evidence(*boxes, bounds.lines[name], **node.attrs)
        arrays |= {f"{kind}.{name}": array for kind, array in told.items()}
    return arrays


def _array(x: ArrayLike) -> np.ndarray:
    """An array as it is; a list of numbers in float32, as a model takes it."""
    with named("A proof"):
        array: np.ndarray = as_numbers(x if hasattr(x, "dtype") else taken(x, "float32"))
        return array
