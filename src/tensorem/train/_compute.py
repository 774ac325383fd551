"""How a step is computed: in one program or layer by layer, in which parts, precision, where."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from tensorem.calls import integer, named
from tensorem.errors import ArgumentError

from ._mesh import Mesh, mesh_of

Backend = Literal["compiled", "eager"]
BACKENDS = ("compiled", "eager")


@dataclass(frozen=True)
class Compute:
    """How a step is computed; `train.fit(..., backend=Compute(accumulate=4))`.

    Args:
        backend: "compiled": many steps in one program. "eager": layer by layer, for looking inside.
        accumulate: In how many parts a batch is computed, one after the other, for less memory. The
            gradient is that of the whole batch for a model that does not mix its examples; a
            BatchNorm sees a part at a time, of which `fit` warns. Schedules, clipping, callbacks
            and the log know only whole batches.
        precision: "bf16" computes the model in bfloat16; parameters, buffers, the optimizer, the
            loss and all sums over parts stay as they are. None computes it in its own dtypes.
        devices: A `Mesh` of devices that compute a batch together; None is one device.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> Compute(accumulate=4).accumulate
        4
    """

    backend: Backend = "compiled"
    accumulate: int = 1
    precision: Literal["bf16"] | None = None
    devices: Mesh | None = None

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise ArgumentError(f"backend takes {', '.join(BACKENDS)}, got {self.backend!r}.")
        with named("Compute"):
            integer("accumulate", self.accumulate, 1)
        if self.precision not in (None, "bf16"):
            raise ArgumentError(f"Compute takes precision of bf16, None, got {self.precision!r}.")
        object.__setattr__(self, "devices", mesh_of(self.devices))
        if self.devices is not None and self.backend != "compiled":
            raise ArgumentError("Compute takes devices with the backend compiled, got eager.")

    def to_json(self) -> Any:
        """The name of the backend, where all else is as usual."""
        return self.backend if self == Compute(self.backend) else asdict(self)


def compute_of(given: Any) -> Compute:
    """The name of a backend, what `to_json` gave, or the value itself.

    Raises:
        ArgumentError: It is none of these.
    """
    if isinstance(given, Compute):
        return given
    return Compute(**given) if isinstance(given, dict) else Compute(given)
