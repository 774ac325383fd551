"""What is wanted of every figure: the one table of floors and limits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Floor:
    """What is wanted of a figure.

    Args:
        wanted: The number that it is held against.
        at_most: Whether it is to be at most that, and not at least.
    """

    wanted: float
    at_most: bool = False

    def says(self, value: float) -> str:
        """The figure beside what is wanted, and whether that is met."""
        met = value <= self.wanted if self.at_most else value >= self.wanted
        bound = "at most" if self.at_most else "at least"
        return f"{value:.2f}, wanted {bound} {self.wanted:g}: {'met' if met else 'not met'}"


def _least(wanted: float) -> Floor:
    return Floor(wanted)


def _most(wanted: float) -> Floor:
    return Floor(wanted, at_most=True)


BY_HAND = _least(0.91)
"""The time of JAX written by hand over ours, on every workload: at most 10 % slower."""
TRAINING = {
    "mlp64": _least(1.9), "cnn32": _least(3.0), "cnn64": _least(3.0), "color32": _least(1.0),
    "resnet32": _least(0.75), "wide16": _least(0.75), "vit32": _least(1.5), "gpt16": _least(0.95),
    "lstm32": _least(0.8), "gru32": _least(1.8), "ssm8": _least(1.6), "pinn1000": _least(2.2),
    "mae32": _least(1.0), "diffusion32": _least(1.0),
}  # fmt: skip
"""Every workload: the time of the best peer over ours."""
FIT = {
    "fit": _most(1.05), "fit, a stream": _most(1.1), "fit, a step callback": _most(1.02),
    "fit, a log of each step": _most(1.02), "fit, a checkpoint each epoch": _most(1.02),
    "fit, accumulate=2": _most(1.05), "fit, groups": _most(1.05), "fit, EMA": _most(1.05),
}  # fmt: skip
"""Ways to call `fit`: the time of each over what it is held against."""
LAYER = _least(0.91)
"""A layer forward and backward: the time of PyTorch's best over ours."""
GENERATE = _least(1.2)
"""Tokens in a second: the time of PyTorch's best over ours."""
TOKENIZE = _most(1.1)
"""10 MB of text: our time over that of the library underneath."""
DEPTH = {"encoder, 24 layers over 6": _most(2.0), "CROWN, 64 layers over 16": _most(5.0)}
"""Time to build and compile a deep network over that of a shallow one."""
BOUNDS = {
    "perceptron 256x2": _least(10.0), "two strided convolutions": _least(1.0),
    "two convolutions with max pooling": _least(1.0),
}  # fmt: skip
"""A bound by CROWN: the time of auto_LiRPA over ours."""
EXCHANGE = {
    "capture and to_jax, ResNet-18": _most(2.0), "capture and to_jax, 12 layers": _most(2.0),
    "exact evaluation of an image": _most(1.0), "rigorous intervals over NumPy": _most(5.0),
    "fast intervals over float32": _most(5.0), "ONNX import over onnx.load": _most(2.0),
}  # fmt: skip
"""Seconds, or our time over that of the other."""
