"""Training: a pure step, compiled in chunks; runs that can be killed and resumed bit for bit."""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere

from ._adapters import log_to as log_to
from ._adapters import tensorboard as tensorboard
from ._average import update_bn as update_bn
from ._bound import FitConfig as FitConfig
from ._bound import FitReport as FitReport
from ._bound import LoaderFitConfig as LoaderFitConfig
from ._bound import Mode as Mode
from ._bound import TaskRunner as TaskRunner
from ._bound import classification as classification
from ._bound import epochs as epochs
from ._bound import instantiate as instantiate
from ._bound import regression as regression
from ._bound import steps as steps
from ._callback import Callback as Callback
from ._callback import Callbacks as Callbacks
from ._callback import Memory as Memory
from ._callback import Rescale as Rescale
from ._callback import StepEvent as StepEvent
from ._callback import Stop as Stop
from ._callback import Updated as Updated
from ._callback import Watch as Watch
from ._callback import When as When
from ._callbacks import EMA as EMA
from ._callbacks import SWA as SWA
from ._callbacks import EarlyStopping as EarlyStopping
from ._callbacks import KeepBest as KeepBest
from ._compute import Compute as Compute
from ._compute import compute_of as compute_of
from ._evaluate import evaluate as evaluate
from ._evaluate import predict as predict
from ._experiment import Artifact as Artifact
from ._experiment import ConfigEntry as ConfigEntry
from ._experiment import ExperimentLog as ExperimentLog
from ._experiment import LogDestination as LogDestination
from ._experiment import RunInfo as RunInfo
from ._feed import Batches as Batches
from ._feed import Feed as Feed
from ._feed import Piece as Piece
from ._feed import feed as feed
from ._find import RateCurve as RateCurve
from ._find import lr_find as lr_find
from ._fit import fit as fit
from ._fit import resume as resume
from ._folder import read_config as read_config
from ._keep import keep_checkpoints as keep_checkpoints
from ._keep import model_of as model_of
from ._log import is_rate as is_rate
from ._log import read_rows as read_rows
from ._mesh import Mesh as Mesh
from ._objective import Auxiliary as Auxiliary
from ._objective import Objective as Objective
from ._objective import Pick as Pick
from ._objective import Seeing as Seeing
from ._objective import Total as Total
from ._objective import View as View
from ._objective import Weighted as Weighted
from ._objective import pick as pick
from ._objective import total as total
from ._objective import weighted as weighted
from ._pace import Pace as Pace
from ._plan import Plan as Plan
from ._plateau import ReduceLROnPlateau as ReduceLROnPlateau
from ._progress import Display as Display
from ._progress import Moment as Moment
from ._record import Record as Record
from ._run import CallbackError as CallbackError
from ._run import EpochEvent as EpochEvent
from ._run import Kept as Kept
from ._run import NonFinite as NonFinite
from ._run import Run as Run
from ._runner import Runner as Runner
from ._say import report_class_probes as report_class_probes
from ._say import report_loss_accuracy_one_hot as report_loss_accuracy_one_hot
from ._say import report_mean_loss as report_mean_loss
from ._say import report_probes as report_probes
from ._signals import Interrupted as Interrupted
from ._state import State as State
from ._stream import Stream as Stream
from ._task import OF_STEPS as OF_STEPS
from ._task import Task as Task
from ._train_log import Curve as Curve
from ._train_log import MetricHistory as MetricHistory
from ._train_log import Series as Series
from ._train_log import TrainLog as TrainLog
from ._watch import log_loss_every as log_loss_every
from ._watch import on_epoch_end as on_epoch_end
from ._watch import on_nonfinite as on_nonfinite
from ._watch import on_save as on_save
from ._watch import on_step as on_step
from ._watch import on_train_end as on_train_end
from ._watch import on_train_start as on_train_start

__all__ = [
    "Artifact",
    "Auxiliary",
    "Batches",
    "Callback",
    "CallbackError",
    "Callbacks",
    "Compute",
    "ConfigEntry",
    "Curve",
    "Display",
    "EMA",
    "EarlyStopping",
    "EpochEvent",
    "ExperimentLog",
    "Feed",
    "FitConfig",
    "FitReport",
    "Interrupted",
    "KeepBest",
    "Kept",
    "LoaderFitConfig",
    "LogDestination",
    "Memory",
    "Mesh",
    "MetricHistory",
    "Mode",
    "Moment",
    "NonFinite",
    "OF_STEPS",
    "Objective",
    "Pace",
    "Pick",
    "Piece",
    "Plan",
    "RateCurve",
    "Record",
    "ReduceLROnPlateau",
    "Rescale",
    "Run",
    "RunInfo",
    "Runner",
    "SWA",
    "Seeing",
    "Series",
    "State",
    "StepEvent",
    "Stop",
    "Stream",
    "Task",
    "TaskRunner",
    "Total",
    "TrainLog",
    "Updated",
    "View",
    "Watch",
    "Weighted",
    "When",
    "classification",
    "compute_of",
    "epochs",
    "evaluate",
    "feed",
    "fit",
    "instantiate",
    "is_rate",
    "keep_checkpoints",
    "log_loss_every",
    "log_to",
    "lr_find",
    "model_of",
    "on_epoch_end",
    "on_nonfinite",
    "on_save",
    "on_step",
    "on_train_end",
    "on_train_start",
    "pick",
    "predict",
    "read_config",
    "read_rows",
    "regression",
    "report_class_probes",
    "report_loss_accuracy_one_hot",
    "report_mean_loss",
    "report_probes",
    "resume",
    "steps",
    "tensorboard",
    "total",
    "update_bn",
    "weighted",
]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)
