"""Proofs about graphs: claims, bounds, counterexamples and certificates."""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere

from ._bounds import Bounds as Bounds
from ._bounds import Propagation as Propagation
from ._claim import Claim as Claim
from ._classifier import Classifier as Classifier
from ._proof import Proof as Proof
from ._prover import Method as Method
from ._prover import Prover as Prover
from ._prover import robust as robust

__all__ = [
    "Bounds",
    "Claim",
    "Classifier",
    "Method",
    "Proof",
    "Propagation",
    "Prover",
    "robust",
]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)
