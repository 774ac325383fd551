"""Text: tokenizers, corpora as data sets, and language models that write."""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere

from . import original as original
from ._bpe import BPETokenizer as BPETokenizer
from ._corpus import Packed as Packed
from ._corpus import RandomWindows as RandomWindows
from ._corpus import may_attend as may_attend
from ._corpus import pack as pack
from ._corpus import padded as padded
from ._corpus import split as split
from ._corpus import windows as windows
from ._files import open_bytes as open_bytes
from ._files import read_utf8 as read_utf8
from ._files import write_tokens as write_tokens
from ._options import GenerationOptions as GenerationOptions
from ._options import candidates as candidates
from ._score import Beam as Beam
from ._score import beam_search as beam_search
from ._score import log_probabilities as log_probabilities
from ._tokenizer import ByteTokenizer as ByteTokenizer
from ._tokenizer import CharTokenizer as CharTokenizer
from ._tokenizer import Tokenizer as Tokenizer
from ._write import generate as generate
from ._write import stream as stream

__all__ = [
    "BPETokenizer",
    "Beam",
    "ByteTokenizer",
    "CharTokenizer",
    "GenerationOptions",
    "Packed",
    "RandomWindows",
    "Tokenizer",
    "beam_search",
    "candidates",
    "generate",
    "log_probabilities",
    "may_attend",
    "open_bytes",
    "original",
    "pack",
    "padded",
    "read_utf8",
    "split",
    "stream",
    "windows",
    "write_tokens",
]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)
