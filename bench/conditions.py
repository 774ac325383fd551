"""Under what conditions figures were seen."""

from __future__ import annotations

import datetime
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.process import THREADS

_PACKAGES = ("tensorem", "jax", "jaxlib", "optax", "numpy", "torch", "flax", "equinox")


def conditions() -> dict[str, str]:
    """Machine, versions, threads and date."""
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores of {_processor()}, {platform.system()}",
        "threads": f"{THREADS}, float32",
        "versions": ", ".join(["Python " + platform.python_version(), *map(_version, _PACKAGES)]),
    }


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"no {package}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    return ", ".join(sorted(names)) or platform.machine()
