"""SIGTERM ends a command as Ctrl-C does: what was begun is put away, one line is said."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Terminated(KeyboardInterrupt):
    """The process was asked to end."""

    signum = signal.SIGTERM


@contextmanager
def terminable() -> Iterator[None]:
    """Within this, SIGTERM raises; where it is ignored or handled already it stays so."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _raise(number: int, frame: Any) -> None:
    raise Terminated("Terminated.")
