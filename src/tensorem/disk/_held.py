"""A run folder has one process that trains in it; which one stands in its lock.json."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tensorem.errors import FileError

from ._run_files import RunFiles
from ._whole import alone, exists, make_folder, parse_json, read_whole, unwritable, write_alone


@dataclass(frozen=True)
class Holder:
    """A process.

    Args:
        pid: Its number, which another process has after its end.
        host: The machine that counts so.
        began: When it began, as the system counts: no two processes of one number have the same.
            Empty where the system does not say.
        since: When it took the folder, for people.
    """

    pid: int
    host: str
    began: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make a folder and hold it: until the end no other process, and no other thread, can.

    What a dead process held is taken over.

    Raises:
        FileError: Another one holds it, or nothing can be written there.
    """
    make_folder(folder)
    lock = RunFiles(folder).lock
    with alone(lock):
        _require_free(lock)
        write_alone({lock: (json.dumps(asdict(_this()), indent=1) + "\n").encode()})
    try:
        yield
    finally:
        try:
            lock.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(lock, error) from error


def _require_free(lock: Path) -> None:
    holder = _holder(lock) if exists(lock) else None
    if holder is None or _is_dead(holder):
        return
    elsewhere = holder.host != platform.node()
    raise FileError(
        f"{lock.parent} takes one process at a time, got a folder that {holder}, trains in.",
        because="whether it still lives is known there alone." if elsewhere else "",
        help=f"wait for its end, or choose another folder; if it is dead, remove {lock}.",
    )


def _holder(lock: Path) -> Holder:
    try:
        holder = Holder(**parse_json(read_whole(lock)))
        if type(holder.pid) is not int or holder.pid < 1:
            raise ValueError(f"pid is {holder.pid!r}")
        return holder
    except (ValueError, TypeError, RecursionError) as error:
        raise FileError(
            f"{lock} does not say which process trains there.",
            because=str(error),
            help="if none does, remove it.",
        ) from None


def _this() -> Holder:
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    return Holder(os.getpid(), platform.node(), _began(os.getpid()) or "", since)


def _is_dead(holder: Holder) -> bool:
    """Of another machine nothing is known; a number may by now be that of another process."""
    if holder.host != platform.node():
        return False
    if holder.began:
        return _began(holder.pid) != holder.began
    try:
        os.kill(holder.pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        return False
    return False


def _began(pid: int) -> str | None:
    """When a process of this machine began, if it lives and the system says it."""
    with suppress(OSError, IndexError):
        # The name in brackets may hold anything; after it stand the state and, as 20th, the start.
        said = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return None if said[0] in "ZX" else f"{boot} {said[19]}"
    return None
