"""Files that are whole, and arrays by name in them."""

from ._arrays import Arrays as Arrays
from ._arrays import pack as pack
from ._arrays import pieces as pieces
from ._arrays import raw as raw
from ._arrays import read_arrays as read_arrays
from ._arrays import unpack as unpack
from ._held import held as held
from ._run_files import RunFiles as RunFiles
from ._whole import append as append
from ._whole import exists as exists
from ._whole import flush as flush
from ._whole import is_file as is_file
from ._whole import is_folder as is_folder
from ._whole import make_folder as make_folder
from ._whole import make_new_folder as make_new_folder
from ._whole import parse_json as parse_json
from ._whole import path_of as path_of
from ._whole import read_whole as read_whole
from ._whole import write_together as write_together
from ._whole import write_whole as write_whole

__all__ = [
    "Arrays",
    "RunFiles",
    "append",
    "exists",
    "flush",
    "held",
    "is_file",
    "is_folder",
    "make_folder",
    "make_new_folder",
    "pack",
    "parse_json",
    "path_of",
    "pieces",
    "raw",
    "read_arrays",
    "read_whole",
    "unpack",
    "write_together",
    "write_whole",
]
