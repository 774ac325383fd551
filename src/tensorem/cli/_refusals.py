"""What cannot be parsed, in our words: one sentence, and where the help is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import MISSING, fields
from difflib import get_close_matches
from typing import Any

from tensorem.errors import ArgumentError

Commands = Mapping[str, type[Any]]


@contextmanager
def refusals(arguments: Sequence[str], commands: Commands) -> Iterator[None]:
    """Within this, tyro raises our error where it would print a box and exit."""
    try:
        from tyro._errors import on_parse_error
    except ImportError:  # the hook is not public yet: a tyro without it prints its boxes
        yield
        return
    command = arguments[0]

    def refuse(event: object) -> None:
        if command not in commands:
            raise ArgumentError(_no_command(command, commands), help="tensorem --help")
        told = _unknown(arguments[1:], command, commands)
        with suppress(AttributeError):  # nor are its events: where they differ, the same
            told = told or _told(event, command)
        if told:
            raise ArgumentError(told, help=f"tensorem {command} --help")

    with on_parse_error(refuse):
        yield


def _no_command(word: str, commands: Commands) -> str:
    near = _near(word, commands) or f": it takes {', '.join(commands)}."
    return f"tensorem has no command {word!r}{near}"


def _unknown(words: Sequence[str], command: str, commands: Commands) -> str:
    """About the first flag that the command does not have; nothing where it has all."""
    named = [field.name for field in fields(commands[command]) if field.default is not MISSING]
    flags = ["--" + name.replace("_", "-") for name in named]
    for word in words:
        flag = word.partition("=")[0].replace("_", "-")
        if flag.startswith("--") and flag not in flags:
            return f"tensorem {command} has no flag {flag}{_near(flag, flags) or '.'}"
    return ""


def _near(word: str, known: Iterable[str]) -> str:
    found = get_close_matches(word, [*known], 1)
    return f"; did you mean {found[0]}?" if found else ""


def _told(event: object, command: str) -> str:
    """What else is wrong; nothing where tyro says it better."""
    from tyro import _errors as tyro

    match event:
        case tyro.UnrecognizedArgs(tokens=[word, *_]):
            return f"tensorem {command} takes nothing here, got {word!r}."
        case tyro.MissingArgs(missing_arguments=[first, *_]):
            return f"tensorem {command} takes {_name(first.arg)}, got none."
        case tyro.InvalidChoice(argument=argument, value=value, choices=choices):
            return f"{_name(argument)} takes {', '.join(choices)}, got {value!r}."
        case tyro.BadValue(argument=argument) if argument.is_positional():
            return f"tensorem {command} takes {_name(argument)}, got none."
        case tyro.BadValue(argument=argument):
            return f"{_name(argument)} takes {argument.lowered.metavar}, got too few values."
        case tyro.InstantiationFailure(argument=argument, message=message) if argument:
            return f"{_name(argument)} {message}"
    return ""


def _name(argument: Any) -> str:
    return str(argument.lowered.metavar if argument.is_positional() else argument.display_name())
