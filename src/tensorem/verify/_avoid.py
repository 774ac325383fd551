"""Unsafe sets that are not reached: bounded, attacked, and the box cut where neither decides.

Source: bounds: Zhang et al. 2018 (CROWN), Theorem 3.2; cuts across the axis that moves a bound
most: Bunel et al. 2020, section 5.1 (branch and bound on the input).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from tensorem.calls import integer, named
from tensorem.disk import path_of, write_whole
from tensorem.errors import ShapeError
from tensorem.graph import Captured, Graph, Trained, sizes, to_program

from ._attack import worst
from ._bounds import Bounds, Propagation
from ._classifier import Classifier, Structure
from ._multipliers import Planes
from ._proof import Verdict, certificate
from ._property import Property

BATCH = 32
"""Parts of a box that are bounded together."""
MOST_CUT = 64
"""Inputs that vary, above which a box is not cut: too many axes to choose from."""
STARTS = 16
SURE = 1e-5
"""What a float32 bound must exceed, relative to the numbers in it, to be handed to the checker."""

Numbers = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Avoidance:
    """What was found out about one property.

    Args:
        verdict: "proved" (a certificate that the checker accepts), "refuted" (a counterexample by
            the runtime, and rigorously), or "unknown".
        property: What was to be proved.
        margin: The least of what was bounded, over all parts; a float estimate.
        parts: How many parts of the box were bounded.
        classifier: The graph, and the checker that has read it.
        arrays: The certificate's arrays, where proved.
        counterexample: A point of the box, exactly, as decimals; where refuted.
    """

    verdict: Verdict
    property: Property
    margin: float
    parts: int
    classifier: Classifier
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    counterexample: tuple[Fraction, ...] | None = None

    @cached_property
    def claim(self) -> str:
        """The claim as it stands in a certificate."""
        own = self.classifier
        return self.property.to_json(own.structure.digest, own.weights, "crown")

    def check(self) -> bool:
        """Judge the evidence again; an unknown has none."""
        if self.verdict == "proved":
            return self.classifier.checker.check(self.claim, self.arrays).accepted
        return self.counterexample is not None and is_counterexample(
            self.classifier, self.property, self.counterexample
        )

    def to_bytes(self) -> bytes:
        """The certificate: a safetensors file whose metadata holds the claim.

        Raises:
            CertificateError: There is none, since the verdict is not "proved".
        """
        return certificate(self.verdict, self.arrays, self.claim)

    def save(self, path: str | Path) -> Path:
        """Write the certificate; a file of that name is replaced in one step.

        Raises:
            CertificateError: There is none, since the verdict is not "proved".
            FileError: It cannot be written; what was there is still there.
        """
        target = path_of(path)
        write_whole(target, self.to_bytes())
        return target

    def __repr__(self) -> str:
        return f"Avoidance({self.verdict}: {self.parts} parts, margin {self.margin:.4g})"


def avoids(
    model: Trained | Captured | Graph, property: Property, *, parts: int = 1000
) -> Avoidance:
    """Do all outputs over a box of inputs stay out of some unsafe sets?

    The box is attacked, then bounded; where few of its inputs vary it is cut into parts until every
    one is decided.

    Args:
        model: A model or graph from one array to one.
        property: The box, and the unsafe sets.
        parts: How many parts may be bounded.

    Returns:
        What was found: its `verdict` is "proved", "refuted" or "unknown", and `check()` judges the
        evidence again.

    Raises:
        ShapeError: The box or a place is none of the model's; or the model is not from one array to
            one.
        MeaningError: One of the model's ops has no bounds, or is none that the checker knows.

    Example:
        >>> from tensorem import nn
        >>> model = nn.build(nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1)), ("N", 2))
        >>> far = Property.of([0, 0], [0.1, 0.1], [[({0: 1}, -100)]])  # y[0] <= -100 is unsafe
        >>> avoids(model, far).verdict
        'proved'
    """
    with named("avoids"):
        limit = integer("parts", parts, 1)
    own = Classifier.reading(model)
    _require_fit(own, property)
    return _Search(own, Propagation.of(own.graph), property).found(limit)


def _require_fit(own: Classifier, given: Property) -> None:
    entries, outputs = (
        int(np.prod(sizes(own.graph, names[0]))) for names in (own.graph.inputs, own.graph.outputs)
    )
    places = {p for several in given.unsafe for one in several for p, _ in one.terms}
    if len(given.lower) != entries or not all(0 <= p < outputs for p in places):
        raise ShapeError(
            f"avoids takes a property of {entries} inputs and {outputs} outputs, got a box of "
            f"{len(given.lower)} and outputs {', '.join(map(str, sorted(places)[:8]))}."
        )


def is_counterexample(own: Classifier, given: Property, x: Sequence[Fraction]) -> bool:
    """Does an exact point of the box lead into an unsafe set, by the runtime and for certain?"""
    ends = zip(map(Fraction, given.lower), x, map(Fraction, given.upper), strict=True)
    if not all(low <= v <= high for low, v, high in ends):
        return False
    exact = np.array(x, object).reshape(own.shape)
    if not given.reached_by(own.outputs(exact.astype(np.float32))):
        return False
    return given.reached(*own.enclosed_outputs(exact)) or given.reached(*own.exact_outputs(exact))


# --- the search


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Bounded:
    """What was found of some parts, a row for each.

    Args:
        margins: The least of what is missed, for each unsafe set.
        multipliers: Of every inequality, within its set.
        evidence: Slopes and picks.
        points: Where the bound of the set that is nearest is least.
        pull: By how much each input moves that bound.
    """

    margins: Numbers
    multipliers: Numbers
    evidence: dict[str, np.ndarray]
    points: Numbers
    pull: Numbers


@dataclass
class _Node:
    """A part of the box: cut in two, or decided."""

    lower: Numbers
    upper: Numbers
    axis: int = -1
    at: float = 0.0
    halves: tuple[_Node, ...] = ()
    evidence: dict[str, np.ndarray] = field(default_factory=dict)

    def preorder(self) -> list[_Node]:
        listed, waiting = [], [self]
        while waiting:
            listed.append(waiting.pop())
            waiting += reversed(listed[-1].halves)
        return listed


@dataclass(frozen=True, eq=False)
class _Search:
    """One property of one graph."""

    own: Classifier
    propagation: Propagation
    goal: Property

    @cached_property
    def forms(self) -> tuple[Numbers, Numbers, NDArray[np.int32]]:
        """Every inequality as a row, its bound, and which set it is of."""
        every = [(i, one) for i, s in enumerate(self.goal.unsafe) for one in s]
        name = self.own.graph.outputs[0]
        rows = np.zeros((len(every), int(np.prod(sizes(self.own.graph, name)))), np.float32)
        for j, (_, one) in enumerate(every):
            for place, c in one.terms:
                rows[j, place] = float(Fraction(c))
        bounds = np.array([float(Fraction(one.bound)) for _, one in every], np.float32)
        return rows, bounds, np.array([i for i, _ in every], np.int32)

    @cached_property
    def root(self) -> _Node:
        box = self.goal.lower, self.goal.upper
        lower, upper = (np.array([float(Fraction(v)) for v in end], np.float32) for end in box)
        return _Node(lower, upper)

    def found(self, limit: int) -> Avoidance:
        """Attack, then bound and cut until all is decided, or enough was tried."""
        _ = self.own.checker  # what it does not know is said first
        varying = int(np.sum(self.root.lower < self.root.upper))
        if (point := self._refuted(self._attacked())) is not None:
            return self._answer("refuted", 0.0, 0, counterexample=point)
        waiting, least, parts = [self.root], np.inf, 0
        while waiting:
            taken, waiting = waiting[-BATCH:], waiting[:-BATCH]
            found, parts = self._bounded(taken), parts + len(taken)
            nearest = found.margins.min(axis=1)
            for i, node in enumerate(taken):
                node.evidence = {k: v[i] for k, v in found.evidence.items()}
                node.evidence["multipliers"] = found.multipliers[i]
            open_ = [i for i in range(len(taken)) if not nearest[i] > self._sure]
            if (point := self._refuted(found.points[open_])) is not None:
                return self._answer("refuted", float(nearest.min()), parts, counterexample=point)
            able = varying <= MOST_CUT and parts + 2 * len(open_) <= limit
            halves = [_cut(taken[i], found.pull[i]) for i in open_ if able]
            if open_ and not (able and all(halves)):
                return self._undecided(float(nearest.min()), parts)
            waiting += [half for pair in halves for half in pair]
            least = min(least, *(nearest[i] for i in range(len(taken)) if i not in open_), np.inf)
        proof = self._answer("proved", float(least), parts, arrays=self._arrays())
        return proof if proof.check() else self._answer("unknown", float(least), parts)

    def _undecided(self, margin: float, parts: int) -> Avoidance:
        """Unknown, but where the checker, which takes composites apart, proves an uncut box."""
        if self.propagation.has_composites and not self.root.halves:
            proof = self._answer("proved", margin, parts, arrays=self._arrays())
            result = self.own.checker.check(proof.claim, proof.arrays)
            if result.accepted and result.margin is not None:
                return replace(proof, margin=result.margin)
        return self._answer("unknown", margin, parts)

    def _answer(self, verdict: Verdict, margin: float, parts: int, **evidence: Any) -> Avoidance:
        return Avoidance(verdict, self.goal, margin, parts, self.own, **evidence)

    @cached_property
    def _sure(self) -> float:
        return SURE * (1 + float(np.abs(self.forms[1]).max()))

    # --- bounds

    def _bounded(self, nodes: Sequence[_Node]) -> _Bounded:
        """Bounds of parts, filled up to one of two numbers of them."""
        size = 1 if len(nodes) == 1 else BATCH
        padded = [*nodes, *[nodes[-1]] * (size - len(nodes))]
        shape = (size, *self.own.shape)
        lower, upper = (
            np.stack([getattr(node, end) for node in padded]).reshape(shape)
            for end in ("lower", "upper")
        )
        crown = self.propagation.crown(lower, upper)
        ends = (lower.reshape(size, -1), upper.reshape(size, -1))
        each = np.eye(len(self.forms[0]), dtype=np.float32)
        low, pulls = self._missed(np.broadcast_to(each, (size, *each.shape)), crown)
        planes = Planes(low, pulls, *ends, self.forms[2])
        chosen = planes.multipliers(self._sure)
        margins, pulls = self._missed(chosen, crown)
        nearest = pulls[np.arange(size), margins.argmin(axis=1)]
        evidence = {k: np.asarray(v) for k, v in self.propagation.evidence(crown).items()}
        points = np.where(nearest > 0, *ends)
        made = _Bounded(margins, chosen.sum(axis=1), evidence, points, nearest)
        return jax.tree.map(lambda v: v[: len(nodes)], made)  # type: ignore[no-any-return]

    def _missed(self, multipliers: Numbers, crown: Bounds) -> tuple[Numbers, Numbers]:
        """The least that sums of inequalities are missed by, and the slopes of their planes.

        Args:
            multipliers: (boxes, sums, inequalities).
            crown: The bounds on the boxes.
        """
        (rows, bounds, _), name = self.forms, self.own.graph.outputs[0]
        shape = multipliers.shape[:2]
        sums = jnp.asarray((multipliers @ rows).reshape(*shape, *sizes(self.own.graph, name)))
        low, slopes = self.propagation.below(sums, name, crown)
        return np.asarray(low) - multipliers @ bounds, np.asarray(slopes).reshape(*shape, -1)

    def _arrays(self) -> dict[str, np.ndarray]:
        """The certificate's arrays."""
        nodes = self.root.preorder()
        leaves = [node.evidence for node in nodes if not node.halves]
        center = ((self.root.lower + self.root.upper) / 2).reshape(self.own.shape)
        stacked = {k: np.stack([leaf[k] for leaf in leaves]) for k in leaves[0]}
        cuts: dict[str, np.ndarray] = {
            "cut_axis": np.array([node.axis for node in nodes], np.int32)
        }
        cuts["cut_at"] = np.array([node.at for node in nodes], np.float32)
        return {"center": center, "outputs": self.own.outputs(center), **stacked, **cuts}

    # --- counterexamples

    def _attacked(self) -> Numbers:
        """Points of the box at which an ascent from some of its points ended."""
        rng = np.random.default_rng(0)
        lower, upper = (end.reshape(self.own.shape) for end in (self.root.lower, self.root.upper))
        parts = rng.uniform(size=(STARTS, *self.own.shape)).astype(np.float32)
        parts[0] = 0.5
        centers = np.clip(lower + parts * (upper - lower), lower, upper)
        attack = _attack_program(self.own.structure, len(self.goal.unsafe))
        with jax.numpy_rank_promotion("allow"):
            points, misses = attack(self.own.graph.arrays, *self.forms, centers, lower, upper)
        order = np.argsort(-np.asarray(misses))
        return np.asarray(points)[order][np.asarray(misses)[order] >= 0].reshape(-1, lower.size)[:2]

    def _refuted(self, points: Numbers) -> tuple[Fraction, ...] | None:
        """The first of some points that is a counterexample, moved into the box exactly."""
        ends = [list(map(Fraction, end)) for end in (self.goal.lower, self.goal.upper)]
        for point in points:
            if self._is_near(point):
                values = zip(map(float, point), *ends, strict=True)
                exact = tuple(min(max(Fraction(v), low), high) for v, low, high in values)
                if is_counterexample(self.own, self.goal, exact):
                    return exact
        return None

    def _is_near(self, point: Numbers) -> bool:
        """Does the runtime reach an unsafe set there, or nearly?"""
        rows, bounds, of = self.forms
        missed = rows @ self.own.outputs(point.reshape(self.own.shape)).ravel() - bounds
        worst_of = np.full(len(self.goal.unsafe), -np.inf)
        np.maximum.at(worst_of, of, missed)
        return bool(worst_of.min() <= self._sure)


def _cut(node: _Node, pull: Numbers) -> tuple[_Node, ...]:
    """Two halves, across the axis that moves the bound most; none where no float lies between."""
    middle = (node.lower + node.upper) / 2
    able = (node.lower < middle) & (middle < node.upper)
    if not able.any():
        return ()
    node.axis = int(np.argmax(np.where(able, np.abs(pull) * (node.upper - node.lower), -1)))
    node.at = float(middle[node.axis])
    below, above = node.upper.copy(), node.lower.copy()
    below[node.axis] = above[node.axis] = node.at
    node.halves, node.evidence = (_Node(node.lower, below), _Node(above, node.upper)), {}
    return node.halves


@lru_cache(maxsize=16)
def _attack_program(structure: Structure, sets: int) -> Callable[..., tuple[Array, Array]]:
    """(weights, rows, bounds, sets, centres, lower, upper) -> points, and by how much they miss."""
    run = to_program(structure.graph)

    def one(
        arrays: Mapping[str, Array], rows: Array, bounds: Array, of: Array, *box: Array
    ) -> tuple[Array, Array]:
        def miss(x: Array) -> Array:
            inside = bounds - rows @ run(arrays, x).ravel()
            return jnp.max(jax.ops.segment_min(inside, of, sets))

        return worst(miss, *box)

    return jax.jit(jax.vmap(one, in_axes=(None, None, None, None, 0, None, None)))
