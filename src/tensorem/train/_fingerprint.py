"""What decides the bits of a run besides its inputs: versions, device, flags, threads."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import jax

from tensorem import runtime
from tensorem.errors import ResumeError

_PACKAGES = ("tensorem", "jax", "jaxlib", "numpy", "optax")


def fingerprint() -> dict[str, str]:
    """The facts that must be equal for two runs to give the same bits."""
    runtime.prepare()
    device = jax.devices()[0]
    facts = {name: version(name) for name in _PACKAGES}
    facts["device"] = _processor() if device.platform == "cpu" else device.device_kind
    facts["devices"] = f"{jax.device_count()} {device.platform}"
    facts["matmul precision"] = str(jax.config.values["jax_default_matmul_precision"])
    facts["partitionable draws"] = str(jax.config.values["jax_threefry_partitionable"])
    facts["XLA flags"] = " ".join(sorted(os.environ.get("XLA_FLAGS", "").split()))
    facts["threads"] = str(_threads())
    return facts


def check_fingerprint(recorded: dict[str, str], where: str) -> None:
    """Refuse to continue where the bits would not be those of the uninterrupted run.

    Raises:
        ResumeError: A fact differs; the message names each one.
    """
    here = fingerprint()
    names = sorted(recorded.keys() | here.keys())
    differing = [n for n in names if recorded.get(n) != here.get(n)]
    if differing:
        raise ResumeError(
            f"{where} was trained with {_listed(recorded, differing)}, got "
            f"{_listed(here, differing)}.",
            because="the same bits are promised for the same versions, device, flags and threads.",
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
