"""Texts on the disk, larger than memory too."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tensorem.calls import integer, named
from tensorem.disk import path_of, read_whole
from tensorem.errors import DataError, FileError

from ._tokenizer import Tokenizer, Tokens, decoded

_PIECE = 1 << 18
"""Bytes of a file that are read at once."""
_BORDER = re.compile(r"\n(?=\S)")
"""Where a text may be cut: GPT-2's words never reach over a line that is followed by one."""


def read_utf8(path: str | Path) -> str:
    """The text of a file.

    Raises:
        FileError: It is missing or cannot be read.
        DataError: It is no UTF-8.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "words.txt"
        >>> _ = file.write_text("to be")
        >>> read_utf8(file)
        'to be'
    """
    file = path_of(path)
    return decoded(read_whole(file), "read_utf8 takes", str(file))


def open_bytes(path: str | Path, least: int = 1) -> NDArray[np.uint8]:
    """The bytes of a file as tokens, of which only what is looked at is read.

    Args:
        least: How many there must be.

    Raises:
        ArgumentError: least is below 1.
        FileError: The file is missing, or cannot be read.
        DataError: It holds fewer bytes.
    """
    file = path_of(path)
    with named("open_bytes"):
        least = integer("least", least, 1)
    try:
        size = file.stat().st_size
        if size < least:
            raise DataError(f"A corpus takes {least} bytes, got {size}.", where=str(file))
        return np.memmap(file, np.uint8, "r")
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise FileError(f"{file} cannot be read: {error}.") from error


def write_tokens(path: str | Path, tokenizer: Tokenizer, source: str | Path) -> int:
    """Encode a text file of any size into a .npy file of tokens, for `data.open_npy`.

    A piece of the text lies in memory at a time. Pieces end before a line that begins with no
    space, so that the tokens of bytes, characters and GPT-2's words are those of the whole.

    Args:
        path: The .npy file, which replaces what was there when it is whole.
        source: The text, in UTF-8.

    Returns:
        How many tokens there are.

    Raises:
        FileError: A file cannot be read or written.
        DataError: The text is empty or no UTF-8, or the tokenizer does not know a character.

    Example:
        >>> import tempfile
        >>> from tensorem import data, text
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "words.txt").write_text("to be")
        >>> text.write_tokens(folder / "words.npy", text.ByteTokenizer(), folder / "words.txt")
        5
        >>> data.open_npy(folder / "words.npy").tolist()
        [116, 111, 32, 98, 101]
    """
    target, file = path_of(path), path_of(source)
    small = tokenizer.vocab_size <= 2**16
    encoded = (tokenizer.encode(piece) for piece in _pieces(file))
    draft = target.with_name(f".{target.name}.new")
    try:
        with draft.open("wb") as out:
            count = _write_npy(out, encoded, np.uint16 if small else np.int32)
        if not count:
            raise DataError("A corpus takes a text, got an empty one.", where=str(file))
        draft.replace(target)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{target} cannot be written: {error.strerror}.") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return count


def _write_npy(out: BinaryIO, parts: Iterable[Tokens], dtype: type[Any]) -> int:
    """A head, the tokens, and the head again with their number: NumPy leaves room for it."""
    _head(out, 0, dtype)
    start, count = out.tell(), 0
    for part in parts:
        out.write(part.astype(dtype).tobytes())
        count += len(part)
    out.seek(0)
    _head(out, count, dtype)
    assert out.tell() == start
    out.flush()
    os.fsync(out.fileno())
    return count


def _head(out: BinaryIO, count: int, dtype: type[Any]) -> None:
    said = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(out, said)


def _pieces(file: Path) -> Iterator[str]:
    """The text of a file, cut where no token can lie."""
    rest = ""
    for part in _decoded(file):
        rest += part
        borders = [found.start() for found in _BORDER.finditer(rest)]
        if borders and borders[-1]:
            yield rest[: borders[-1]]
            rest = rest[borders[-1] :]
    if rest:
        yield rest


def _decoded(file: Path) -> Iterator[str]:
    decoder, part, done = codecs.getincrementaldecoder("utf-8")(), b"", 0
    try:
        with file.open("rb") as stream:
            while True:
                part = stream.read(_PIECE)
                yield decoder.decode(part, final=not part)
                done += len(part)
                if not part:
                    return
    except UnicodeDecodeError as error:
        held = len(error.object) - len(part)  # bytes of a character that began in the part before
        raise DataError(
            "A corpus takes text in UTF-8, got other bytes.",
            where=f"{file}, byte {done - held + error.start}",
            because=f"{error.reason}.",
        ) from None
    except OSError as error:
        raise FileError(f"{file} cannot be read: {error.strerror}.") from error
