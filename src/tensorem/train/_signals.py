"""Ctrl-C and SIGTERM during training: noted at once, obeyed between two chunks."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._run import Run


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop; everything up to here is in `run`.

    Args:
        message: Where it stopped, and the call that continues.
        run: The run so far.
        signum: The signal, SIGINT or SIGTERM; a shell expects the exit code 128 + signum.
    """

    def __init__(self, message: str, run: Run, signum: int) -> None:
        super().__init__(message)
        self.run = run
        self.signum = signum


@dataclass(eq=False)
class Signals:
    """Within this context a first signal is noted; a second Ctrl-C interrupts at once."""

    received: int | None = None
    _before: dict[int, Any] = field(default_factory=dict)

    def __enter__(self) -> Signals:
        # Only the main thread may handle signals; elsewhere they go where they went before.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                before = signal.getsignal(number)
                if before not in (signal.SIG_IGN, None):
                    self._before[number] = before
                    signal.signal(number, self._note)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        # Noted and not obeyed: an error came first, or the end did. It goes where it went before.
        if self.received is not None and not isinstance(error, KeyboardInterrupt):
            signal.raise_signal(self.received)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = number
