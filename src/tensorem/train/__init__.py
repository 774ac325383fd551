"""Training: a pure step, compiled in chunks; runs that can be killed and resumed bit for bit."""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere

from ._evaluate import evaluate as evaluate
from ._evaluate import predict as predict
from ._feed import Batches as Batches
from ._feed import Feed as Feed
from ._feed import Piece as Piece
from ._feed import feed as feed
from ._fit import fit as fit
from ._fit import resume as resume
from ._folder import read_config as read_config
from ._pace import Pace as Pace
from ._plan import Plan as Plan
from ._progress import Display as Display
from ._progress import Moment as Moment
from ._record import Record as Record
from ._run import Hooks as Hooks
from ._run import NonFinite as NonFinite
from ._run import Run as Run
from ._runner import Runner as Runner
from ._signals import Interrupted as Interrupted
from ._state import State as State
from ._stream import Stream as Stream
from ._task import Task as Task

__all__ = [
    "Batches",
    "Display",
    "Feed",
    "Hooks",
    "Interrupted",
    "Moment",
    "NonFinite",
    "Pace",
    "Piece",
    "Plan",
    "Record",
    "Run",
    "Runner",
    "State",
    "Stream",
    "Task",
    "evaluate",
    "feed",
    "fit",
    "predict",
    "read_config",
    "resume",
]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)
