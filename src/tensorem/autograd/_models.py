"""Derivatives of models, which are functions of their parameters, their input and a target.

A model is read in evaluation, as `model(x)` is. Nothing is compiled here: wrap a call in `jax.jit`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from tensorem import losses
from tensorem.calls import called
from tensorem.errors import ArgumentError, ShapeError
from tensorem.layer import Layer, Model

from ._functions import hvp, jvp, vjp, vmap
from ._given import Argnums, Fn, Tree, floats, like, to_floats, to_number
from ._transform import Transform

Array = jax.Array
Params = dict[str, Array]
"""Arrays by the names of a model's parameters: their values, gradients or directions."""

OutputLoss = str | Callable[[Any, Any], Any]
"""(output, target) -> one number, or the pair of a loss, whose mean is taken; or a loss's name."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ValueAndGrads:
    """A loss and its gradients, of `value_and_grads`.

    Args:
        value: The loss.
        dparams: Its gradient in the parameters, by name.
        dx: In the input; a tuple where the model takes several.
        dtarget: In the target.
    """

    value: Array
    dparams: Params
    dx: Tree
    dtarget: Tree


# --- gradients of a loss


@called
def value_and_grads(model: Model, loss: OutputLoss, x: Tree, target: Tree) -> ValueAndGrads:
    """The loss of a model's output, and its gradients in parameters, input and target.

    Args:
        model: A model; of other parameters `model.replace(params=...)`.
        loss: A name, or (output, target) -> one number or a pair (sum, count).
        x: A batch of inputs; a tuple where the model takes several.
        target: A batch of targets, floats.

    Raises:
        ArgumentError: The model is none, or there is no such loss.
        ShapeError: x or target do not fit, or the loss gives more than one number.
        DTypeError: The input or the target are no floats.

    Example:
        >>> from tensorem import nn
        >>> model = nn.build(nn.Linear(2, 1), input=("N", 2))
        >>> model = model.load_state_dict({"weight": [[1.0, 2.0]], "bias": [0.0]})
        >>> found = value_and_grads(model, "mse", jnp.ones((1, 2)), jnp.zeros((1, 1)))
        >>> float(found.value), found.dparams["bias"].tolist(), found.dx.tolist()
        (9.0, [6.0], [[6.0, 12.0]])
    """
    value, grads = _differentiated("value_and_grads", (0, 1, 2), model, loss, x, target)
    return ValueAndGrads(value, *grads)


@called
def value_and_grad_params(
    model: Model, loss: OutputLoss, x: Tree, target: Tree
) -> tuple[Array, Params]:
    """The loss, and its gradient in the parameters by name: see `value_and_grads`.

    Raises:
        ArgumentError: The model is none, or there is no such loss.
        ShapeError: x or target do not fit, or the loss gives more than one number.
        DTypeError: x is not what the model takes.
    """
    value, grads = _differentiated("value_and_grad_params", 0, model, loss, x, target)
    return value, grads


@called
def value_and_grad_x(model: Model, loss: OutputLoss, x: Tree, target: Tree) -> tuple[Array, Tree]:
    """The loss, and its gradient in the input: see `value_and_grads`.

    Raises:
        ArgumentError: The model is none, or there is no such loss.
        ShapeError: x or target do not fit, or the loss gives more than one number.
        DTypeError: The input holds no floats.
    """
    value, grads = _differentiated("value_and_grad_x", 1, model, loss, x, target)
    return value, grads


@called
def value_and_grad_target(
    model: Model, loss: OutputLoss, x: Tree, target: Tree
) -> tuple[Array, Tree]:
    """The loss, and its gradient in the target: see `value_and_grads`.

    Raises:
        ArgumentError: The model is none, or there is no such loss.
        ShapeError: x or target do not fit, or the loss gives more than one number.
        DTypeError: The target holds no floats, as classes do not.
    """
    value, grads = _differentiated("value_and_grad_target", 2, model, loss, x, target)
    return value, grads


@called
def grad_params(model: Model, loss: OutputLoss, x: Tree, target: Tree) -> Params:
    """The gradient of the loss in the parameters, by name: see `value_and_grads`.

    Buffers are held fixed. Parameters that `model.freeze` names are differentiated too: that is
    about training.

    Raises:
        ArgumentError: The model is none, or there is no such loss.
        ShapeError: x or target do not fit, or the loss gives more than one number.
        DTypeError: x is not what the model takes.

    Example:
        >>> from tensorem import nn
        >>> model = nn.build(nn.Linear(2, 3), input=("N", 2))
        >>> classes = jnp.array([0, 1, 2, 0])
        >>> gradient = grad_params(model, "cross_entropy", jnp.ones((4, 2)), classes)
        >>> {name: g.shape for name, g in gradient.items()}
        {'bias': (3,), 'weight': (3, 2)}
    """
    grads: Params = _differentiated("grad_params", 0, model, loss, x, target)[1]
    return grads


@called
def grad_inputs(model: Model, loss: OutputLoss, x: Tree, target: Tree) -> tuple[Tree, Tree]:
    """The gradients of the loss in the input and in the target: see `value_and_grads`.

    Raises:
        ArgumentError: The model is none, or there is no such loss.
        ShapeError: x or target do not fit, or the loss gives more than one number.
        DTypeError: The input or the target hold no floats.
    """
    dx, dtarget = _differentiated("grad_inputs", (1, 2), model, loss, x, target)[1]
    return dx, dtarget


@called
def grad_x(model: Model, loss: OutputLoss, x: Tree, target: Tree) -> Tree:
    """The gradient of the loss in the input: see `value_and_grads`.

    Raises:
        ArgumentError: The model is none, or there is no such loss.
        ShapeError: x or target do not fit, or the loss gives more than one number.
        DTypeError: The input holds no floats.
    """
    return _differentiated("grad_x", 1, model, loss, x, target)[1]


@called
def grad_target(model: Model, loss: OutputLoss, x: Tree, target: Tree) -> Tree:
    """The gradient of the loss in the target: see `value_and_grads`.

    Raises:
        ArgumentError: The model is none, or there is no such loss.
        ShapeError: x or target do not fit, or the loss gives more than one number.
        DTypeError: The target holds no floats, as classes do not.
    """
    return _differentiated("grad_target", 2, model, loss, x, target)[1]


def _differentiated(
    name: str, argnums: Argnums, model: Model, loss: OutputLoss, x: Tree, target: Tree
) -> tuple[Array, Any]:
    """The loss, and its gradients in some of (parameters, input, target)."""
    params = _params(name, model)
    with model.precision():
        derivative = Transform(name, jax.value_and_grad, to_number)(
            _objective(model, loss), argnums
        )
        found: tuple[Array, Any] = derivative(params, _input(model, x), target)
    return found


# --- along a direction of the parameters


@called
def jvp_params(model: Model, loss: OutputLoss, x: Tree, target: Tree, tangent: Params) -> Array:
    """The derivative of the loss along a direction of the parameters, one number.

    Args:
        tangent: An array for each parameter, by name.

    Raises:
        ArgumentError: The model is none, or there is no such loss.
        ShapeError: x, target or tangent do not fit, or the loss gives more than one number.
        DTypeError: x or tangent have other dtypes.

    Example:
        >>> from tensorem import nn
        >>> model = nn.build(nn.Linear(2, 1), input=("N", 2))
        >>> data = jnp.ones((4, 2)), jnp.zeros((4, 1))
        >>> gradient = grad_params(model, "mse", *data)
        >>> squared = sum(float(jnp.sum(g * g)) for g in gradient.values())
        >>> abs(float(jvp_params(model, "mse", *data, gradient)) - squared) < 1e-4
        True
    """
    params = _params("jvp_params", model)
    with model.precision():
        x, along = _input(model, x), like("jvp_params", "a tangent", tangent, params)
        objective = to_number("jvp_params", _objective(model, loss))
        slope: Array = jvp(lambda p: objective(p, x, target), (params,), (along,))[1]
    return slope


@called
def hvp_params(model: Model, loss: OutputLoss, x: Tree, target: Tree, tangent: Params) -> Params:
    """The product of the loss's Hessian in the parameters and a direction, by name.

    Args:
        tangent: An array for each parameter, by name.

    Raises:
        ArgumentError: The model is none, or there is no such loss.
        ShapeError: x, target or tangent do not fit, or the loss gives more than one number.
        DTypeError: x or tangent have other dtypes.
    """
    params = _params("hvp_params", model)
    with model.precision():
        x, along = _input(model, x), like("hvp_params", "a tangent", tangent, params)
        objective = to_number("hvp_params", _objective(model, loss))
        product: Params = hvp(lambda p: objective(p, x, target), (params,), (along,))
    return product


# --- of the output


@called
def vjp_params(model: Model, x: Tree, cotangent: Tree) -> Params:
    """A cotangent of the output pulled back to the parameters, by name.

    Args:
        x: A batch of inputs; a tuple where the model takes several.
        cotangent: What each output counts: of the shapes of the output.

    Raises:
        ArgumentError: The model is none.
        ShapeError: x or cotangent do not fit.
        DTypeError: x or cotangent have other dtypes.
    """
    params = _params("vjp_params", model)
    with model.precision():
        value, pull = vjp(_output_of(model, x), params)
        grads: Params = pull(like("vjp_params", "a cotangent", cotangent, value))
    return grads


@called
def vjp_inputs(model: Model, x: Tree, cotangent: Tree) -> tuple[Tree, ...]:
    """A cotangent of the output pulled back to the inputs: a tuple, also of one.

    Args:
        x: A batch of inputs; a tuple where the model takes several.
        cotangent: What each output counts: of the shapes of the output.

    Raises:
        ArgumentError: The model is none.
        ShapeError: x or cotangent do not fit.
        DTypeError: The input holds no floats, or cotangent has another dtype.
    """
    params = _params("vjp_inputs", model)
    with model.precision():
        inputs = floats("vjp_inputs", lambda x: x, (_inputs(model, x),), 0)[0]
        value, pull = vjp(lambda xs: model.apply(params, *xs), inputs)
        grads: tuple[Tree, ...] = pull(like("vjp_inputs", "a cotangent", cotangent, value))
    return grads


@called
def vjp_input(model: Model, x: Tree, cotangent: Tree) -> Tree:
    """A cotangent of the output pulled back to the one input: see `vjp_inputs`.

    Raises:
        ArgumentError: The model is none, or takes several inputs.
        ShapeError: x or cotangent do not fit.
        DTypeError: The input holds no floats, or cotangent has another dtype.

    Example:
        >>> from tensorem import nn
        >>> model = nn.build(nn.Linear(2, 1, bias=False), input=("N", 2))
        >>> model = model.load_state_dict({"weight": [[1.0, 2.0]]})
        >>> vjp_input(model, jnp.ones((1, 2)), jnp.array([[10.0]])).tolist()
        [[10.0, 20.0]]
    """
    found = vjp_inputs(model, x, cotangent)
    if len(found) != 1:
        raise ArgumentError(
            f"takes a model of one input, got one of {len(found)}.", help="autograd.vjp_inputs."
        )
    return found[0]


@called
def jacrev_params(model: Model, x: Tree) -> Params:
    """The Jacobian of the output in the parameters, by name: one pass for each output.

    Shapes:
        output (*out), parameter (*in)  ->  (*out, *in)

    Raises:
        ArgumentError: The model is none.
        ShapeError: x does not fit.
        DTypeError: x is not what the model takes.

    Example:
        >>> from tensorem import nn
        >>> model = nn.build(nn.Linear(2, 3), input=("N", 2))
        >>> {name: j.shape for name, j in jacrev_params(model, jnp.ones((4, 2))).items()}
        {'bias': (4, 3, 3), 'weight': (4, 3, 3, 2)}
    """
    params = _params("jacrev_params", model)
    with model.precision():
        jacobian = Transform("jacrev_params", jax.jacrev, to_floats)
        found: Params = jacobian(_output_of(model, x))(params)
    return found


# --- one example at a time


@called
def per_example_grads(model: Model, loss: OutputLoss, x: Tree, target: Tree) -> Params:
    """The gradient of the loss of every example alone, in the parameters by name.

    Shapes:
        x (N, *in), parameter (*p)  ->  (N, *p)

    Raises:
        ArgumentError: The model is none, or there is no such loss.
        ShapeError: x or target do not fit, or the loss gives more than one number.
        DTypeError: x is not what the model takes.

    Example:
        >>> from tensorem import nn
        >>> model = nn.build(nn.Linear(2, 1), input=("N", 2))
        >>> per_example_grads(model, "mse", jnp.ones((5, 2)), jnp.zeros((5, 1)))["weight"].shape
        (5, 1, 2)
    """
    grads: Params = _each("per_example_grads", lambda g: g, model, loss, x, target)
    return grads


@called
def per_example_grad_norms(model: Model, loss: OutputLoss, x: Tree, target: Tree) -> Array:
    """The Euclidean norm of every example's gradient, over all parameters together.

    Shapes:
        x (N, *in)  ->  (N)

    Raises:
        ArgumentError: The model is none, or there is no such loss.
        ShapeError: x or target do not fit, or the loss gives more than one number.
        DTypeError: x is not what the model takes.

    Example:
        >>> from tensorem import nn
        >>> model = nn.build(nn.Linear(2, 1, bias=False), input=("N", 2))
        >>> model = model.load_state_dict({"weight": [[0.0, 0.0]]})
        >>> x, target = jnp.array([[3.0, 4.0], [0.0, 1.0]]), jnp.full((2, 1), -0.5)
        >>> per_example_grad_norms(model, "mse", x, target).tolist()
        [5.0, 1.0]
    """
    norms: Array = _each("per_example_grad_norms", _norm, model, loss, x, target)
    return norms


def _norm(gradient: Params) -> Array:
    return jnp.sqrt(sum(jnp.vdot(g, g) for g in gradient.values()))


def _each(
    name: str,
    seen: Callable[[Params], Any],
    model: Model,
    loss: OutputLoss,
    x: Tree,
    target: Tree,
) -> Any:
    """What is seen of the gradient of each example, which is a batch of one."""
    params = _params(name, model)

    def one(params: Params, xs: tuple[Tree, ...], target: Tree) -> Tree:
        xs, target = jax.tree.map(lambda v: v[None], (xs, target))
        return _scored(loss, model.apply(params, *xs), target)

    with model.precision():
        gradient = Transform(name, jax.grad, to_number)(one)
        each = vmap(lambda *given: seen(gradient(*given)), in_dims=(None, 0, 0))
        return each(params, _inputs(model, x), jax.tree.map(jnp.asarray, target))


# --- what these are made of


@called
def linear_params(weight: Array, bias: Array | None = None) -> Params:
    """The parameters of one `nn.Linear` as `model.params` has them.

    Args:
        weight: Of shape (out, in).
        bias: Of shape (out,); None for a layer without.

    Raises:
        ShapeError: The shapes are not those of a Linear.
        DTypeError: They are no arrays.

    Example:
        >>> sorted(linear_params(jnp.ones((3, 2)), jnp.zeros(3)))
        ['bias', 'weight']
    """
    if jnp.ndim(weight) != 2:
        raise ShapeError(f"takes a weight (out, in), got {jnp.shape(weight)}.")
    if bias is None:
        return {"weight": weight}
    if jnp.shape(bias) != weight.shape[:1]:
        raise ShapeError(f"takes a bias {weight.shape[:1]}, got {jnp.shape(bias)}.")
    return {"weight": weight, "bias": bias}


@called
def detach(loss: OutputLoss) -> OutputLoss:
    """The loss that is measured and not learned from: nothing flows back into the output.

    Raises:
        ArgumentError: There is no such loss.

    Example:
        >>> from tensorem import nn
        >>> model = nn.build(nn.Linear(2, 1), input=("N", 2))
        >>> grad_params(model, detach("mse"), jnp.ones((1, 2)), jnp.zeros((1, 1)))["bias"].tolist()
        [0.0]
    """

    def detached(output: Tree, target: Tree) -> Tree:
        return _scored(loss, jax.lax.stop_gradient(output), target)

    return detached


def _objective(model: Model, loss: OutputLoss) -> Fn:
    def objective(params: Params, x: Tree, target: Tree) -> Tree:
        return _scored(loss, model.apply(params, *_several(model, x)), target)

    return objective


def _scored(loss: OutputLoss, output: Tree, target: Tree) -> Tree:
    """The loss as one number; of a pair its mean."""
    score: Fn = losses.by_name(loss) if isinstance(loss, str) else loss
    match score(output, target):
        case (total, count):
            return losses.mean((total, count))
        case number:
            return number


def _output_of(model: Model, x: Tree) -> Fn:
    inputs = _inputs(model, x)
    return lambda params: model.apply(params, *inputs)


def _inputs(model: Model, x: Tree) -> tuple[Tree, ...]:
    """The inputs as the model takes them, or an error."""
    return model.built.given(_several(model, x))


def _input(model: Model, x: Tree) -> Tree:
    """The same in the form in which they were given."""
    (first, *others) = inputs = _inputs(model, x)
    return inputs if others else first


def _several(model: Model, x: Tree) -> tuple[Tree, ...]:
    is_several = len(model.built.inputs) > 1 and isinstance(x, tuple | list)
    return tuple(x) if is_several else (x,)


def _params(name: str, model: Model) -> Params:
    if not isinstance(model, Model):
        raise ArgumentError(
            f"{name} takes a model, got {type(model).__name__}.",
            help="model = nn.build(layer, input=(...))." if isinstance(model, Layer) else "",
        )
    return model.params
