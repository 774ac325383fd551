"""Optimizers made of others: chains, groups of parameters, clipped and frozen ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._declare import optimizer
from ._groups import grouped
from ._kinds import Above0, Groups, Member, Transform

if TYPE_CHECKING:
    import optax


@optimizer()
def chain(*optimizers: Member) -> optax.GradientTransformation:
    """The composition: each takes what the one before it gives.

    Raises:
        ArgumentError: There is none, or a member is no optimizer.

    Example:
        >>> from tensorem.optim import lbfgs
        >>> chain(clip_grad_norm(1.0), lbfgs())
        chain(clip_grad_norm(max_norm=1.0), lbfgs(lr=1.0, history_size=100))
    """
    import optax

    return optax.chain(*(o.transform() for o in optimizers))


@optimizer()
def clip_grad_norm(max_norm: Above0) -> optax.GradientTransformation:
    """Gradients scaled down so that their joint Euclidean norm is at most max_norm.

    It updates nothing by itself: `chain` it in front of an optimizer; of one group, within it.

    Raises:
        ArgumentError: max_norm is not above 0.

    Example:
        >>> from tensorem.optim import adam
        >>> chain(clip_grad_norm(1.0), adam()).name
        'chain'

    Source:
        torch.nn.utils.clip_grad_norm_.
    """
    import optax

    return optax.clip_by_global_norm(max_norm)


@optimizer()
def clip_grad_value(clip_value: Above0) -> optax.GradientTransformation:
    """Every entry of a gradient cut to [-clip_value, clip_value].

    It updates nothing by itself: `chain` it in front of an optimizer; of one group, within it.

    Raises:
        ArgumentError: clip_value is not above 0.

    Example:
        >>> from tensorem.optim import adam
        >>> chain(clip_grad_value(0.5), adam()).name
        'chain'

    Source:
        torch.nn.utils.clip_grad_value_.
    """
    import optax

    return optax.clip(clip_value)


@optimizer()
def frozen() -> optax.GradientTransformation:
    """Parameters that stay as they are; nothing is kept of them. In `groups`, None means it.

    Example:
        >>> from tensorem.optim import adam, groups
        >>> groups({"0.*": None, "*": adam()}).arguments[0][1][0]
        ('0.*', frozen())
    """
    import optax

    return optax.set_to_zero()


@optimizer()
def groups(groups: Groups) -> optax.GradientTransformation:
    """An optimizer for each group of parameters; the first pattern that fits a name has it.

    A pattern is as in a shell, and stands for a whole name such as "backbone.0.weight": `*` is any
    text, dots too, `?` one letter, `[01]` one of these.

    Args:
        groups: Pattern -> optimizer, or None for parameters that are frozen.

    Raises:
        ArgumentError: It is no such dictionary; from training, a pattern that has no parameter, or
            a parameter that has no pattern.

    Example:
        >>> from tensorem.optim import lbfgs
        >>> groups({"head.*": lbfgs(), "*": None})
        groups({'head.*': lbfgs(lr=1.0, history_size=100), '*': frozen()})

    Source:
        The parameter groups of torch.optim, by name.
    """
    found: Any = groups
    return grouped({pattern: o.transform() for pattern, o in found})


@optimizer()
def from_optax(transform: Transform) -> optax.GradientTransformation:
    """Any transformation of optax. Where an optimizer is taken, it is taken by itself too.

    A run records where its code stands, so that `train.resume` asks for it again; of its learning
    rate nothing is known or logged.

    Raises:
        ArgumentError: It is no transformation.

    Example:
        >>> import optax
        >>> from_optax(optax.adabelief(1e-3)).name
        'from_optax'
    """
    return transform
