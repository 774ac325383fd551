"""Derivatives: of functions as in torch.func, and of models by the original's names."""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere

from ._functions import grad as grad
from ._functions import hessian as hessian
from ._functions import hvp as hvp
from ._functions import jacfwd as jacfwd
from ._functions import jacrev as jacrev
from ._functions import jvp as jvp
from ._functions import value_and_grad as value_and_grad
from ._functions import vjp as vjp
from ._functions import vmap as vmap
from ._given import Fn as Fn
from ._given import to_floats as to_floats
from ._models import OutputLoss as OutputLoss
from ._models import Params as Params
from ._models import ValueAndGrads as ValueAndGrads
from ._models import detach as detach
from ._models import grad_inputs as grad_inputs
from ._models import grad_params as grad_params
from ._models import grad_target as grad_target
from ._models import grad_x as grad_x
from ._models import hvp_params as hvp_params
from ._models import jacrev_params as jacrev_params
from ._models import jvp_params as jvp_params
from ._models import linear_params as linear_params
from ._models import per_example_grad_norms as per_example_grad_norms
from ._models import per_example_grads as per_example_grads
from ._models import value_and_grad_params as value_and_grad_params
from ._models import value_and_grad_target as value_and_grad_target
from ._models import value_and_grad_x as value_and_grad_x
from ._models import value_and_grads as value_and_grads
from ._models import vjp_input as vjp_input
from ._models import vjp_inputs as vjp_inputs
from ._models import vjp_params as vjp_params
from ._partials import partials as partials
from ._traces import divergence as divergence
from ._traces import laplacian as laplacian

__all__ = [
    "Fn",
    "OutputLoss",
    "Params",
    "ValueAndGrads",
    "detach",
    "divergence",
    "grad",
    "grad_inputs",
    "grad_params",
    "grad_target",
    "grad_x",
    "hessian",
    "hvp",
    "hvp_params",
    "jacfwd",
    "jacrev",
    "jacrev_params",
    "jvp",
    "jvp_params",
    "laplacian",
    "linear_params",
    "partials",
    "per_example_grad_norms",
    "per_example_grads",
    "to_floats",
    "value_and_grad",
    "value_and_grad_params",
    "value_and_grad_target",
    "value_and_grad_x",
    "value_and_grads",
    "vjp",
    "vjp_input",
    "vjp_inputs",
    "vjp_params",
    "vmap",
]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)
