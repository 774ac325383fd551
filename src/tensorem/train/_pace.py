"""How many steps to take before looking up; no choice here can change a bit of the result."""

from __future__ import annotations

from dataclasses import dataclass, field

from tensorem.calls import integer, named


@dataclass(eq=False)
class Pace:
    """Chunks of steps that take about `seconds` each.

    Args:
        seconds: How long a chunk should take.
        every: A chunk also ends at each multiple of this many steps of the run.
    """

    seconds: float = 0.5
    every: int | None = None
    _length: int = 1
    _warm: set[tuple[int, ...]] = field(default_factory=set)

    def __post_init__(self) -> None:
        if self.every is not None:
            with named("A Pace"):
                self.every = integer("every", self.every, 1)

    def length(self, step: int, left: int) -> int:
        """How many of the steps that are left to take now, after this many of the run."""
        until = self.every - step % self.every if self.every else left
        return min(self._length, left, until)

    def took(self, shape: tuple[int, ...], steps: int, seconds: float) -> None:
        """Learn from a chunk; the first of each shape is left out, since it compiles."""
        if shape not in self._warm:
            self._warm.add(shape)
            return
        fitting = int(steps * self.seconds / max(seconds, 1e-6))
        # Growing by 16 at most: one short measurement must not decide a chunk of minutes.
        self._length = max(1, min(fitting, 16 * max(steps, self._length)))
