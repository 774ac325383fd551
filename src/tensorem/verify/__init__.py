"""Proofs about graphs: claims, bounds, counterexamples and certificates."""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere

from ._avoid import Avoidance as Avoidance
from ._avoid import avoids as avoids
from ._bounds import Bounds as Bounds
from ._bounds import Propagation as Propagation
from ._claim import Claim as Claim
from ._classifier import Classifier as Classifier
from ._proof import Proof as Proof
from ._property import Inequality as Inequality
from ._property import Property as Property
from ._prover import Method as Method
from ._prover import Prover as Prover
from ._prover import robust as robust
from ._vnnlib import vnnlib as vnnlib

__all__ = [
    "Avoidance",
    "Bounds",
    "Claim",
    "Classifier",
    "Inequality",
    "Method",
    "Proof",
    "Propagation",
    "Property",
    "Prover",
    "avoids",
    "robust",
    "vnnlib",
]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)
