"""run.toml: every flag of a command as a line, to be written back and used again."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any

from tensorem import disk
from tensorem.errors import ArgumentError, FileError

CONFIG = "--config"
APART = ("config", "json")
"""What a file does not say."""

Kind = type[Any]


def flag(name: str) -> str:
    """A field as a flag."""
    return "--" + name.replace("_", "-")


def config_of(words: Sequence[str]) -> Path | None:
    """The file that is named among the words of a command; the last, if there are several."""
    found = [word.partition("=")[2] for word in words if word.startswith(f"{CONFIG}=")]
    found += [b for a, b in pairwise(words) if a == CONFIG]
    return Path(found[-1]) if found and found[-1] else None


def words_of(file: Path, command: Kind) -> dict[str, list[str]]:
    """What a file says, as the words of a command line, by flag.

    Raises:
        FileError: It cannot be read, or is no TOML.
        ArgumentError: A key is no flag of the command, or a value is of no kind of flags.
    """
    try:
        said = tomllib.loads(disk.read_whole(file).decode())
    except ValueError as error:
        raise FileError(f"{file} takes TOML, got something else.", because=str(error)) from None
    known = [f.name for f in fields(command) if f.default is not MISSING and f.name not in APART]
    for key in said:
        if key.replace("-", "_") not in known:
            near = get_close_matches(key.replace("-", "_"), known, 1)
            raise ArgumentError(
                f"{file} takes the flags of tensorem {command.__name__.lower()} as keys, got "
                f"{key}.",
                help=f"did you mean {near[0]}?" if near else f"it takes {', '.join(known)}.",
            )
    return {flag(key.replace("-", "_")): _words(file, key, value) for key, value in said.items()}


def _words(file: Path, key: str, value: Any) -> list[str]:
    """One flag; one that is false is left out."""
    name = flag(key.replace("-", "_"))
    if isinstance(value, bool):
        return [name] if value else []
    if isinstance(value, list) and all(type(v) in (int, float, str) for v in value):
        return [name, *map(str, value)]
    if type(value) not in (int, float, str):
        raise ArgumentError(
            f"{file} takes a text, a number, true, false or a list of them, got {value!r} for "
            f"{key}."
        )
    return [f"{name}={value}"]


def without(words: Mapping[str, list[str]], given: Sequence[str]) -> list[str]:
    """The words of a file whose flags are not given on the command line, which has the last say."""
    named = {word.partition("=")[0].replace("_", "-") for word in given if word.startswith("--")}
    return [word for name, part in words.items() if name not in named for word in part]


def to_toml(command: Any) -> str:
    """Every flag with its value; one that has none is a comment."""
    shown = [f.name for f in fields(command) if f.name not in (*APART, "path")]
    return "".join(_line(name, getattr(command, name)) for name in shown)


def _line(name: str, value: Any) -> str:
    if value is None:
        return f"# {name}: not given\n"
    plain = str(value) if isinstance(value, Path) else value
    return f"{name} = {_toml(plain)}\n"


def _toml(value: Any) -> str:
    """Texts, numbers and lists are in TOML what they are in JSON, but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
