"""Optimizers, each a row of the table; names, order and defaults are PyTorch's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorem.errors import ArgumentError

from . import _arrays, _lbfgs
from ._declare import optimizer
from ._kinds import (
    Above0,
    Adjust,
    AtLeast0,
    AtLeast1,
    Below1,
    Betas,
    Count,
    Eps,
    Flag,
    Rate,
    Three,
    UpTo0,
    UpTo1,
    rate,
    rate_at,
)

if TYPE_CHECKING:
    import optax


def _momentum_for_nesterov(given: dict[str, Any]) -> None:
    if given["nesterov"] and given["momentum"] == 0:
        raise ArgumentError("takes nesterov with a momentum above 0, got momentum 0.")
    if given["nesterov"] and given["dampening"] != 0:
        raise ArgumentError(
            f"takes nesterov with a dampening of 0, got dampening {given['dampening']}."
        )


@optimizer(_momentum_for_nesterov)
def sgd(
    lr: Rate = 1e-3,
    momentum: Below1 = 0.0,
    dampening: UpTo1 = 0.0,
    weight_decay: AtLeast0 = 0.0,
    nesterov: Flag = False,
    *,
    maximize: Flag = False,
) -> optax.GradientTransformation:
    """Gradient descent: b = momentum b + (1 - dampening) (g + weight_decay p);  p = p - lr b.

    Args:
        dampening: What is left out of every gradient after the first.
        weight_decay: Factor of the parameter that is added to its gradient (L2).
        nesterov: Step along g + momentum b instead of b.
        maximize: Step along the gradient, so that the loss grows.

    Raises:
        ArgumentError: A value out of its range, or nesterov without momentum or with dampening.

    Example:
        >>> sgd(0.1, momentum=0.9, nesterov=True)
        sgd(lr=0.1, momentum=0.9, dampening=0.0, weight_decay=0.0, nesterov=True, maximize=False)

    Source:
        torch.optim.SGD.
    """
    import optax

    if momentum and dampening:
        step = _arrays.dampened(momentum, dampening, nesterov)
        return _stepping(lr, weight_decay, maximize, step)
    return _prepared(weight_decay, maximize, optax.sgd(rate(lr), momentum or None, nesterov))


@optimizer()
def adam(
    lr: Rate = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: AtLeast0 = 1e-8,
    weight_decay: AtLeast0 = 0.0,
    amsgrad: Flag = False,
    *,
    maximize: Flag = False,
) -> optax.GradientTransformation:
    """Adam: steps by the mean of the gradient over the root of its mean square, both unbiased.

    Args:
        betas: Decay of the mean and of the mean square, each in [0, 1).
        eps: Added to the root.
        weight_decay: Factor of the parameter that is added to its gradient (L2).
        amsgrad: Divide by the root of the greatest mean square so far.
        maximize: Step along the gradient, so that the loss grows.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> adam(1e-3).arguments[:3]
        (('lr', 0.001), ('betas', (0.9, 0.999)), ('eps', 1e-08))

    Source:
        Kingma and Ba 2015, algorithm 1; Reddi et al. 2018, algorithm 2; torch.optim.Adam.
    """
    import optax

    if amsgrad:
        return _stepping(lr, weight_decay, maximize, _arrays.amsgrad(betas, eps))
    return _prepared(weight_decay, maximize, optax.adam(rate(lr), *betas, eps))


@optimizer()
def adamw(
    lr: Rate = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: AtLeast0 = 1e-8,
    weight_decay: AtLeast0 = 0.01,
    amsgrad: Flag = False,
    *,
    maximize: Flag = False,
) -> optax.GradientTransformation:
    """Adam with decoupled weight decay: also p = p - lr weight_decay p.

    Args:
        betas: Decay of the mean and of the mean square, each in [0, 1).
        eps: Added to the root.
        weight_decay: Factor of lr times the parameter that is taken away in each step.
        amsgrad: Divide by the root of the greatest mean square so far.
        maximize: Step along the gradient, so that the loss grows.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> from tensorem.optim import cosine_lr
        >>> adamw(cosine_lr(1e-3, 100)).arguments[0][1]
        cosine_lr(lr=0.001, total_steps=100, min_lr=0.0)

    Source:
        Loshchilov and Hutter 2019, algorithm 2; torch.optim.AdamW.
    """
    import optax

    if amsgrad:
        return _stepping(lr, weight_decay, maximize, _arrays.amsgrad(betas, eps), decoupled=True)
    step = optax.adamw(rate(lr), *betas, eps, weight_decay=weight_decay)
    return _prepared(0.0, maximize, step)


@optimizer()
def adamax(
    lr: Rate = 2e-3,
    betas: Betas = (0.9, 0.999),
    eps: AtLeast0 = 1e-8,
    weight_decay: AtLeast0 = 0.0,
    *,
    maximize: Flag = False,
) -> optax.GradientTransformation:
    """Adam by the greatest gradient of late in place of the root of the mean square.

    Args:
        betas: Decay of the mean and of the greatest, each in [0, 1).
        eps: Added to what the mean is divided by.
        weight_decay: Factor of the parameter that is added to its gradient (L2).
        maximize: Step along the gradient, so that the loss grows.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> adamax().arguments[0]
        ('lr', 0.002)

    Source:
        Kingma and Ba 2015, algorithm 2; torch.optim.Adamax.
    """
    import optax

    return _prepared(weight_decay, maximize, optax.adamax(rate(lr), *betas, eps))


@optimizer()
def nadam(
    lr: Rate = 2e-3,
    betas: Betas = (0.9, 0.999),
    eps: AtLeast0 = 1e-8,
    weight_decay: AtLeast0 = 0.0,
    momentum_decay: AtLeast0 = 4e-3,
    decoupled_weight_decay: Flag = False,
    *,
    maximize: Flag = False,
) -> optax.GradientTransformation:
    """Adam with the momentum of Nesterov.

    Args:
        betas: Decay of the mean and of the mean square, each in [0, 1).
        eps: Added to the root.
        weight_decay: Factor of the parameter that is added to its gradient (L2).
        momentum_decay: How fast the decay of the mean grows to betas[0].
        decoupled_weight_decay: Take lr weight_decay p away from p instead.
        maximize: Step along the gradient, so that the loss grows.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> nadam().arguments[0]
        ('lr', 0.002)

    Source:
        Dozat 2016; torch.optim.NAdam.
    """
    step = _arrays.nadam(betas, eps, momentum_decay)
    return _stepping(lr, weight_decay, maximize, step, decoupled_weight_decay)


@optimizer()
def radam(
    lr: Rate = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: AtLeast0 = 1e-8,
    weight_decay: AtLeast0 = 0.0,
    decoupled_weight_decay: Flag = False,
    *,
    maximize: Flag = False,
) -> optax.GradientTransformation:
    """Adam that waits with the root until the mean square is known well enough.

    Args:
        betas: Decay of the mean and of the mean square, each in [0, 1).
        eps: Added to the root.
        weight_decay: Factor of the parameter that is added to its gradient (L2).
        decoupled_weight_decay: Take lr weight_decay p away from p instead.
        maximize: Step along the gradient, so that the loss grows.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> radam().arguments[0]
        ('lr', 0.001)

    Source:
        Liu et al. 2020, algorithm 2; torch.optim.RAdam.
    """
    step = _arrays.radam(betas, eps)
    return _stepping(lr, weight_decay, maximize, step, decoupled_weight_decay)


@optimizer()
def adagrad(
    lr: Rate = 1e-2,
    lr_decay: AtLeast0 = 0.0,
    weight_decay: AtLeast0 = 0.0,
    initial_accumulator_value: AtLeast0 = 0.0,
    eps: AtLeast0 = 1e-10,
    *,
    maximize: Flag = False,
) -> optax.GradientTransformation:
    """The gradient over the root of the sum of all its squares.

    Args:
        lr_decay: The rate of step t is lr / (1 + t lr_decay), from t = 0.
        weight_decay: Factor of the parameter that is added to its gradient (L2).
        initial_accumulator_value: What the sum begins with.
        eps: Added to the root.
        maximize: Step along the gradient, so that the loss grows.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> adagrad().arguments[0]
        ('lr', 0.01)

    Source:
        Duchi et al. 2011; torch.optim.Adagrad.
    """
    step = _arrays.adagrad(lr_decay, initial_accumulator_value, eps)
    return _stepping(lr, weight_decay, maximize, step)


@optimizer()
def rmsprop(
    lr: Rate = 1e-2,
    alpha: Below1 = 0.99,
    eps: AtLeast0 = 1e-8,
    weight_decay: AtLeast0 = 0.0,
    momentum: AtLeast0 = 0.0,
    centered: Flag = False,
    *,
    maximize: Flag = False,
) -> optax.GradientTransformation:
    """The gradient over the root of its mean square.

    Args:
        alpha: Decay of the mean square.
        eps: Added to the root.
        weight_decay: Factor of the parameter that is added to its gradient (L2).
        momentum: Decay of the steps that are added up; 0: none are.
        centered: Divide by the deviation: the mean is taken out of the mean square.
        maximize: Step along the gradient, so that the loss grows.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> rmsprop().arguments[:2]
        (('lr', 0.01), ('alpha', 0.99))

    Source:
        Tieleman and Hinton 2012; Graves 2013, equation 38; torch.optim.RMSprop.
    """
    import optax

    given: dict[str, Any] = {"eps_in_sqrt": False, "centered": centered}
    step = optax.rmsprop(rate(lr), alpha, eps, momentum=momentum or None, **given)
    return _prepared(weight_decay, maximize, step)


@optimizer()
def adadelta(
    lr: Rate = 1.0,
    rho: Below1 = 0.9,
    eps: AtLeast0 = 1e-6,
    weight_decay: AtLeast0 = 0.0,
    *,
    maximize: Flag = False,
) -> optax.GradientTransformation:
    """The gradient times the root of the mean square of steps over that of gradients.

    Args:
        rho: Decay of both mean squares.
        eps: Added to both.
        weight_decay: Factor of the parameter that is added to its gradient (L2).
        maximize: Step along the gradient, so that the loss grows.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> adadelta().arguments[0]
        ('lr', 1.0)

    Source:
        Zeiler 2012, algorithm 1; torch.optim.Adadelta.
    """
    import optax

    return _prepared(weight_decay, maximize, optax.adadelta(rate(lr), rho, eps))


@optimizer()
def adafactor(
    lr: Rate = 1e-2,
    beta2_decay: UpTo0 = -0.8,
    eps: Eps = (None, 1e-3),
    d: AtLeast1 = 1.0,
    weight_decay: AtLeast0 = 0.0,
    *,
    maximize: Flag = False,
) -> optax.GradientTransformation:
    """Steps relative to the size of a parameter, with mean squares kept by row and column.

    Args:
        beta2_decay: Step t takes t^beta2_decay of the new squares.
        eps: The least root of a mean square (None: that of the dtype), the least size.
        d: The greatest root mean square of an update before it is scaled.
        weight_decay: Factor of lr times the parameter that is taken away in each step.
        maximize: Step along the gradient, so that the loss grows.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> adafactor().arguments[:2]
        (('lr', 0.01), ('beta2_decay', -0.8))

    Source:
        Shazeer and Stern 2018, algorithm 5; torch.optim.Adafactor.
    """
    step = _arrays.adafactor(lambda t: rate_at(lr, t), beta2_decay, eps, d, weight_decay)
    return _prepared(0.0, maximize, step)


@optimizer()
def lamb(
    lr: Rate = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: AtLeast0 = 1e-6,
    weight_decay: AtLeast0 = 0.0,
    *,
    maximize: Flag = False,
) -> optax.GradientTransformation:
    """Adam whose step in each array is as long as the array itself, times lr: for large batches.

    Args:
        betas: Decay of the mean and of the mean square, each in [0, 1).
        eps: Added to the root.
        weight_decay: Factor of the parameter that is added to the direction.
        maximize: Step along the gradient, so that the loss grows.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> lamb().arguments[2]
        ('eps', 1e-06)

    Source:
        You et al. 2020, algorithm 2, with the identity as scaling; not in PyTorch.
    """
    import optax

    step = optax.lamb(rate(lr), *betas, eps, weight_decay=weight_decay)
    return _prepared(0.0, maximize, step)


@optimizer()
def lion(
    lr: Rate = 1e-4,
    betas: Betas = (0.9, 0.99),
    weight_decay: AtLeast0 = 0.0,
    *,
    maximize: Flag = False,
) -> optax.GradientTransformation:
    """The sign of the mean gradient: every entry moves by lr.

    Args:
        betas: How much of the mean goes into the step, and its decay, each in [0, 1).
        weight_decay: Factor of lr times the parameter that is taken away in each step.
        maximize: Step along the gradient, so that the loss grows.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> lion().arguments[:2]
        (('lr', 0.0001), ('betas', (0.9, 0.99)))

    Source:
        Chen et al. 2023, algorithm 2; not in PyTorch.
    """
    import optax

    return _prepared(0.0, maximize, optax.lion(rate(lr), *betas, weight_decay=weight_decay))


@optimizer()
def muon(
    lr: Rate = 1e-3,
    weight_decay: AtLeast0 = 0.1,
    momentum: Below1 = 0.95,
    nesterov: Flag = True,
    ns_coefficients: Three = (3.4445, -4.775, 2.0315),
    eps: Above0 = 1e-7,
    ns_steps: Count = 5,
    adjust_lr_fn: Adjust = "original",
) -> optax.GradientTransformation:
    """Steps along the mean gradient of a matrix, made nearly orthogonal; matrices only.

    Args:
        weight_decay: Factor of lr times the parameter that is taken away in each step.
        nesterov: Look a step ahead.
        ns_coefficients: Of x, x x^T x and (x x^T)^2 x in a step of Newton and Schulz.
        eps: The least norm that a matrix is divided by.
        ns_steps: Steps of Newton and Schulz.
        adjust_lr_fn: "original": lr times the root of rows over columns, if above 1;
            "match_rms_adamw": lr times 0.2 times the root of the greater.

    Raises:
        ArgumentError: A value out of its range; from training, a parameter that is no matrix.

    Example:
        >>> from tensorem.optim import groups
        >>> [key for key, _ in groups({"*.weight": muon(), "*": adamw()}).arguments[0][1]]
        ['*.weight', '*']

    Source:
        Jordan et al. 2024; torch.optim.Muon, which rounds the steps of Newton and Schulz to
        bfloat16, while these are in the dtype of the gradient.
    """
    step = _arrays.muon(momentum, nesterov, ns_coefficients, eps, ns_steps, adjust_lr_fn)
    return _stepping(lr, weight_decay, False, step, decoupled=True)


@optimizer()
def lbfgs(lr: Rate = 1.0, history_size: Count = 100) -> optax.GradientTransformation:
    """L-BFGS, for steps over all examples: the gradient times what is known of the curvature.

    Without a line search, as in PyTorch's default, and with one step at a time (max_iter=1). A
    batch that changes from step to step says nothing of curvature: take all examples.

    Args:
        history_size: How many steps are remembered; each costs twice the parameters.

    Raises:
        ArgumentError: A value out of its range.

    Example:
        >>> lbfgs()
        lbfgs(lr=1.0, history_size=100)

    Source:
        Nocedal and Wright 2006, algorithm 7.4; torch.optim.LBFGS.
    """
    return _stepping(lr, 0.0, False, _lbfgs.scale_by_lbfgs(history_size))


def _stepping(
    lr: Rate,
    weight_decay: float,
    maximize: bool,
    direction: optax.GradientTransformation,
    decoupled: bool = False,
) -> optax.GradientTransformation:
    """The step of lr along a direction; decoupled decay is added to the direction."""
    import optax

    decay = [optax.add_decayed_weights(weight_decay)] if decoupled and weight_decay else []
    step = optax.chain(direction, *decay, optax.scale_by_learning_rate(rate(lr)))
    return _prepared(0.0 if decoupled else weight_decay, maximize, step)


def _prepared(
    weight_decay: float, maximize: bool, step: optax.GradientTransformation
) -> optax.GradientTransformation:
    """The step after what changes the gradient: its sign, then the parameter that is added."""
    import optax

    before = [optax.scale(-1.0)] if maximize else []
    before += [optax.add_decayed_weights(weight_decay)] if weight_decay else []
    return optax.chain(*before, step) if before else step
