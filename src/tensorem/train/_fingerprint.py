"""What decides the bits of a run besides its inputs: versions, device, settings, threads."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import jax

from tensorem import runtime
from tensorem.errors import ResumeError

_PACKAGES = ("tensorem", "jax", "jaxlib", "numpy", "optax")
_CALLED = {
    "jax_default_matmul_precision": "matmul precision",
    "jax_threefry_partitionable": "partitionable draws",
}
"""Settings of JAX that runs have recorded under names of ours."""


def fingerprint() -> dict[str, str]:
    """The facts that must be equal for two runs to give the same bits."""
    runtime.prepare()
    device = jax.devices()[0]
    facts = {name: version(name) for name in _PACKAGES}
    facts["device"] = _processor() if device.platform == "cpu" else device.device_kind
    facts["devices"] = f"{jax.device_count()} {device.platform}"
    settings = runtime.compiled_for()
    facts |= {_CALLED.get(name, name): str(value) for name, value in settings.items()}
    facts["jax_default_prng_impl"] = jax.config.values["jax_default_prng_impl"]
    facts["compile options"] = runtime.compile_options()
    facts["XLA flags"] = " ".join(sorted(os.environ.get("XLA_FLAGS", "").split()))
    facts["threads"] = str(_threads())
    return facts


def check_fingerprint(recorded: dict[str, str], where: str) -> None:
    """Refuse to continue where the bits would not be those of the uninterrupted run.

    A fact that the run did not record cannot be compared.

    Raises:
        ResumeError: A fact differs; the message names each one.
    """
    here = fingerprint()
    differing = [name for name in sorted(recorded) if recorded[name] != here.get(name)]
    if differing:
        raise ResumeError(
            f"{where} was trained with {_listed(recorded, differing)}, got "
            f"{_listed(here, differing)}.",
            because="bits are promised for the same versions, device, settings and threads.",
            help="pass anyway=True to continue with other rounding.",
        )


def _listed(facts: dict[str, str], names: list[str]) -> str:
    return ", ".join(f"{name} {facts.get(name, 'unknown') or '(none)'}" for name in names)


def _threads() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    """The name of the processor: XLA compiles for the instructions that it has."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
