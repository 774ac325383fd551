"""The plan of a run: everything besides model and data that decides its final bytes."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from tensorem import losses, optim, rand
from tensorem import metrics as known_metrics
from tensorem.calls import flag, integer, named
from tensorem.errors import ResumeError

from ._compute import Compute, compute_of
from ._objective import Score, Seeing
from ._runner import required_rule
from ._task import OF_STEPS, as_tuple, full_name


@dataclass(frozen=True)
class Plan:
    """How a model is trained.

    Args:
        loss: A name, or a function (output, targets) -> (sum, count).
        optimizer: How gradients move the parameters.
        epochs: How often every example is visited.
        batch_size: Examples in a step.
        seed: Where the order of the examples and every random draw come from.
        metrics: Names or functions like the loss.
        drop_last: Whether a smaller last batch of an epoch is left out.
        backend: How a step is computed.

    Raises:
        ArgumentError: A value out of its range.
    """

    loss: str | Score | Seeing
    optimizer: optim.Optimizer
    epochs: int
    batch_size: int
    seed: int
    metrics: tuple[str | Score | Seeing, ...]
    drop_last: bool
    backend: Compute

    def __post_init__(self) -> None:
        with named("Training"):
            for name in ("epochs", "batch_size"):
                object.__setattr__(self, name, integer(name, getattr(self, name), 1))
            flag("drop_last", self.drop_last)
        object.__setattr__(self, "optimizer", required_rule(self.optimizer))
        rand.check_seed(self.seed)

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON values; functions by the place where they are defined."""
        return {
            "loss": full_name(self.loss),
            "optimizer": self.optimizer.to_json(),
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "metrics": [full_name(metric) for metric in self.metrics],
            "drop_last": self.drop_last,
            "backend": self.backend.to_json(),
        }


def plan_of(
    recorded: Mapping[str, Any],
    loss: str | Score | Seeing | None,
    metrics: tuple[str | Score | Seeing, ...] | None,
    epochs: int | None,
    optimizer: object = None,
) -> Plan:
    """The plan that a run recorded; functions cannot be recorded and are given again.

    Raises:
        ResumeError: A function is needed and was not given, or another one was.
    """
    found = dict(recorded)
    found["loss"] = _again("loss", recorded["loss"], loss, losses.LOSSES)
    given = (None,) * len(recorded["metrics"]) if metrics is None else as_tuple(metrics)
    if len(given) != len(recorded["metrics"]):
        raise ResumeError(f"The run takes metrics {recorded['metrics']}, got {given!r}.")
    pairs = zip(recorded["metrics"], given, strict=True)
    known = (*known_metrics.METRICS, *OF_STEPS)
    found["metrics"] = tuple(_again("metrics", name, score, known) for name, score in pairs)
    found["optimizer"] = _optimizer_again(recorded["optimizer"], optimizer)
    found["backend"] = compute_of(recorded["backend"])
    found["epochs"] = recorded["epochs"] if epochs is None else epochs
    return Plan(**found)


def _again(
    kind: str, recorded: str, given: str | Score | Seeing | None, known: Container[str]
) -> str | Score | Seeing:
    if given is None and recorded in known:
        return recorded
    if given is None:
        raise ResumeError(
            f"The run takes its {kind} {recorded} again, got none.",
            because="a run records the name of a function, not its code.",
            help=f"pass {kind}=... to train.resume.",
        )
    if full_name(given) != recorded:
        raise ResumeError(f"The run takes the {kind} {recorded}, got {full_name(given)}.")
    return given


def _optimizer_again(recorded: Mapping[str, Any], given: object) -> optim.Optimizer:
    if given is None and optim.needs_code(recorded):
        raise ResumeError(
            "The run takes its optimizer again, got none.",
            because="a run records where the code of optax stands, not the code.",
            help="pass optimizer=... to train.resume.",
        )
    if given is None:
        return optim.optimizer_of(optim.from_json(recorded))
    found = optim.optimizer_of(given)
    if found.to_json() != recorded:
        raise ResumeError(f"The run takes the optimizer {recorded}, got {found.to_json()}.")
    return found
