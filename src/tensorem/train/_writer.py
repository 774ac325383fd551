"""Checkpoints are written in a thread, one after another, while training goes on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field


@dataclass(eq=False)
class Writer:
    """Does one thing at a time; what that raises is raised by the next call, or at the end.

    Example:
        >>> with Writer() as writer:
        ...     writer.begin(lambda: print("written"))
        ...     writer.wait()
        written
    """

    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    _begun: Future[object] | None = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._thread.shutdown()  # waits, whatever ended the run
        if error is None:
            self.wait()

    def begin(self, action: Callable[[], object]) -> None:
        """Begin an action, once the one before it is done."""
        self.wait()
        self._begun = self._thread.submit(action)

    def wait(self) -> None:
        """Wait until all that was begun is done."""
        begun, self._begun = self._begun, None
        if begun is not None:
            begun.result()
