"""Optimizers and learning-rate schedules: names and defaults of PyTorch over optax.

Each is a frozen description made of numbers and names, so that a run can record it and make it
again; optax is loaded when `transform` or `function` is called.
"""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere

from ._combine import chain as chain
from ._combine import clip_grad_norm as clip_grad_norm
from ._combine import clip_grad_value as clip_grad_value
from ._combine import from_optax as from_optax
from ._combine import frozen as frozen
from ._combine import groups as groups
from ._description import Argument as Argument
from ._description import Arguments as Arguments
from ._description import Clock as Clock
from ._description import Description as Description
from ._description import Duration as Duration
from ._description import Json as Json
from ._description import Optimizer as Optimizer
from ._description import Schedule as Schedule
from ._kinds import optimizer_of as optimizer_of
from ._optimizers import adadelta as adadelta
from ._optimizers import adafactor as adafactor
from ._optimizers import adagrad as adagrad
from ._optimizers import adam as adam
from ._optimizers import adamax as adamax
from ._optimizers import adamw as adamw
from ._optimizers import lamb as lamb
from ._optimizers import lbfgs as lbfgs
from ._optimizers import lion as lion
from ._optimizers import muon as muon
from ._optimizers import nadam as nadam
from ._optimizers import radam as radam
from ._optimizers import rmsprop as rmsprop
from ._optimizers import sgd as sgd
from ._plot import plot as plot
from ._read import check_params as check_params
from ._read import from_json as from_json
from ._read import frozen_of as frozen_of
from ._read import learning_rates as learning_rates
from ._read import needs_code as needs_code
from ._read import rates_of as rates_of
from ._scaled import Scaled as Scaled
from ._scaled import scaled as scaled
from ._schedules import constant as constant
from ._schedules import cosine_lr as cosine_lr
from ._schedules import cosine_restarts_lr as cosine_restarts_lr
from ._schedules import cyclic_lr as cyclic_lr
from ._schedules import exponential_lr as exponential_lr
from ._schedules import function as function
from ._schedules import linear_lr as linear_lr
from ._schedules import multi_step_lr as multi_step_lr
from ._schedules import one_cycle_lr as one_cycle_lr
from ._schedules import polynomial_lr as polynomial_lr
from ._schedules import sequential_lr as sequential_lr
from ._schedules import step_lr as step_lr
from ._schedules import warmup_lr as warmup_lr
from ._spans import epochs as epochs
from ._spans import fraction as fraction
from ._table import DURATIONS as DURATIONS
from ._table import OPTIMIZERS as OPTIMIZERS
from ._table import SCHEDULES as SCHEDULES

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)

__all__ = [
    "Argument",
    "Arguments",
    "Clock",
    "DURATIONS",
    "Description",
    "Duration",
    "Json",
    "OPTIMIZERS",
    "Optimizer",
    "SCHEDULES",
    "Scaled",
    "Schedule",
    "adadelta",
    "adafactor",
    "adagrad",
    "adam",
    "adamax",
    "adamw",
    "chain",
    "check_params",
    "clip_grad_norm",
    "clip_grad_value",
    "constant",
    "cosine_lr",
    "cosine_restarts_lr",
    "cyclic_lr",
    "epochs",
    "exponential_lr",
    "fraction",
    "from_json",
    "from_optax",
    "frozen",
    "frozen_of",
    "function",
    "groups",
    "lamb",
    "lbfgs",
    "learning_rates",
    "linear_lr",
    "lion",
    "multi_step_lr",
    "muon",
    "nadam",
    "needs_code",
    "one_cycle_lr",
    "optimizer_of",
    "plot",
    "polynomial_lr",
    "radam",
    "rates_of",
    "rmsprop",
    "scaled",
    "sequential_lr",
    "sgd",
    "step_lr",
    "warmup_lr",
]
