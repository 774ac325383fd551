"""The frame of every command: arguments in, exit code out, errors as one message."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any, Protocol, Union

from tensorem.errors import ArgumentError, TensoremError

from . import _exit
from ._advice import in_flags
from ._all_runs import Runs
from ._check import Check
from ._demo import Demo
from ._diff import Diff
from ._doctor import Doctor
from ._eval import Eval
from ._evaluate import Evaluate
from ._export import Export
from ._import import Import
from ._layers import Layers
from ._ops import Ops
from ._predict import Predict
from ._refusals import refusals
from ._resume import Resume
from ._settings import config_of, without, words_of
from ._show import Show
from ._train import Train
from ._verify import Verify

ABOUT = "One model, many meanings: run it, differentiate it, prove it."

COMMANDS: dict[str, type[Command]] = {
    "demo": Demo,
    "train": Train,
    "resume": Resume,
    "eval": Eval,
    "predict": Predict,
    "evaluate": Evaluate,
    "verify": Verify,
    "check": Check,
    "show": Show,
    "runs": Runs,
    "diff": Diff,
    "import": Import,
    "export": Export,
    "layers": Layers,
    "ops": Ops,
    "doctor": Doctor,
}


class Command(Protocol):
    """What was asked for on the command line, and how it is done."""

    def run(self) -> int: ...


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a console script exits with it."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _make_printable()
    if given in (["--version"], ["-V"]):
        from tensorem import __version__

        print(f"tensorem {__version__}")
        return _exit.OK
    return _guarded(given or ["--help"])


def _parsed(arguments: list[str]) -> Command:
    import tyro

    if os.environ.get("NO_COLOR"):
        tyro._experimental_options["ansi_codes"] = False
    named: Any = [Annotated[k, tyro.conf.subcommand(name)] for name, k in COMMANDS.items()]
    choice: Any = Union[tuple(named)]  # noqa: UP007  (the members are known when it runs)
    with refusals(arguments, COMMANDS):
        command: Command = tyro.cli(
            choice,
            prog="tensorem",
            description=f"{ABOUT}\n\n{_exit.CODES}",
            args=arguments,
            config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes),
        )
    return command


def _with_config(arguments: list[str]) -> list[str]:
    """The arguments with those of the file that they name in front; a file is whole by itself."""
    command, *words = arguments
    kind, file = COMMANDS.get(command), config_of(words)
    if kind is None or file is None or not hasattr(kind, "config"):
        return arguments
    said = words_of(file, kind)
    try:
        _parsed([command, *without(said, ())])
    except ArgumentError as error:
        raise error.with_notes(where=str(file)) from None
    return [command, *without(said, words), *words]


def _guarded(arguments: list[str]) -> int:
    try:
        code = _parsed(_with_config(arguments)).run()
        sys.stdout.flush()
        return code
    except TensoremError as error:
        print(in_flags(f"{type(error).__name__}: {error}"), file=sys.stderr)
        return _exit.BAD_INPUT
    except KeyboardInterrupt as interrupt:
        print(in_flags(str(interrupt) or "Interrupted."), file=sys.stderr)
        return 128 + getattr(interrupt, "signum", _exit.INTERRUPTED - 128)
    except BrokenPipeError:
        _mute()
        return _exit.BROKEN_PIPE
    except OSError as error:
        _mute()
        reason = error.strerror or error
        print(f"FileError: {error.filename or 'The output'}: {reason}.", file=sys.stderr)
        return _exit.BAD_INPUT
    except Exception:
        traceback.print_exc()
        print("This is a bug in tensorem: please report it with the lines above.", file=sys.stderr)
        return _exit.BUG


def _mute() -> None:
    """Python flushes standard output once more at exit; it must find something that takes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _make_printable() -> None:
    """A terminal that does not know a character shows a question mark, not a traceback."""
    sys.stdout, sys.stderr = (
        stream or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")  # it was closed before we began
        for stream in (sys.stdout, sys.stderr)
    )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
