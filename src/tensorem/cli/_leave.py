"""Ctrl-C and SIGTERM end the process at once, in one line.

An exception would be lost, or bring the interpreter down, inside C code that loads or compiles. No
file needs one: each is whole at any instant. Training takes the signals itself, to save first.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack, suppress
from types import FrameType
from typing import NoReturn

LEAVING = ExitStack()
"""What is put away before the process ends: other processes, temporary folders."""

_SAID = {signal.SIGINT: "Interrupted.", signal.SIGTERM: "Terminated."}
_SHOW_CURSOR = b"\x1b[?25h"


def leave_at_once() -> None:
    """Take the signals that nobody has taken yet; an ignored one stays ignored."""
    for number in _SAID:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _leave)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    with suppress(Exception):
        LEAVING.close()
        sys.stdout.flush()
    with suppress(OSError):
        if os.isatty(1):
            os.write(1, _SHOW_CURSOR)
        os.write(2, f"{_SAID[signal.Signals(number)]}\n".encode())
    os._exit(128 + number)
