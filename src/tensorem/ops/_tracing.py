"""What JAX says of a user's function while it traces it, in our words.

It stands here because `ops` is the leftmost room that imports JAX at once, and all that trace
functions of users (`layer`, `train`, `graph`) import it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax

from tensorem.errors import ShapeError, TensoremError
from tensorem.shapes import misfit, undecided


def in_our_words(error: Exception, who: str, kind: type[TensoremError]) -> TensoremError | None:
    """An error of JAX about values, sizes or results of a function; None for any other.

    Args:
        error: What was raised while the function was traced.
        who: The function, as the subject of a sentence.
        kind: The error of one that is not a pure function of arrays.

    Returns:
        That error, or a ShapeError where the shapes do not fit, or names do not decide that.

    Example:
        >>> from tensorem.errors import CaptureError
        >>> try:
        ...     jax.make_jaxpr(lambda x: x if x > 0 else -x)(1.0)
        ... except Exception as error:
        ...     print(in_our_words(error, "f", CaptureError).what)
        f asks for the values of an array, not only its shape.
    """
    reason = (str(error).splitlines() or [""])[0]
    if isinstance(error, TensoremError):
        return None
    if isinstance(error, jax.errors.JAXTypeError):
        return kind(
            f"{who} asks for the values of an array, not only its shape.",
            because=reason,
            help="compute with tensorem.functional or jax.numpy, and jnp.where in place of if; "
            "float(), int() and NumPy need values.",
        )
    if "not a valid JAX type" in reason:
        return kind(f"{who} makes what is no array: {reason}.")
    if open_question := undecided(error):
        return ShapeError(
            f"{who} must know more than the names of its sizes.",
            because=open_question,
            help="give integers in place of the names in the input's shape.",
        )
    if isinstance(error, TypeError | ValueError) and "shape" in str(error):
        what = f"{who} does not fit:"
        return misfit(what, error) or ShapeError(f"{what} {reason}")
    return None


@contextmanager
def translated(who: str, kind: type[TensoremError]) -> Iterator[None]:
    """Within it an error of JAX about a function of the user's is ours: see `in_our_words`."""
    try:
        yield
    except Exception as error:
        if (ours := in_our_words(error, who, kind)) is not None:
            raise ours from error
        raise
