"""`tensorem doctor`: what tensorem finds on this machine."""

from __future__ import annotations

import importlib.util
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from . import _exit
from ._terminal import print_json, show, table

PACKAGES = ("tensorem", "jax", "jaxlib", "numpy", "optax", "safetensors", "rich", "tyro")
EXTRAS = {
    "data": ("PIL", "polars"),
    "onnx": ("onnx",),
    "vnnlib": ("vnnlib",),
    "exact": ("flint",),
    "keras": ("h5py",),
    "grain": ("grain",),
    "tensorboard": ("tensorboardX",),
    "wandb": ("wandb",),
    "mlflow": ("mlflow",),
    "text": ("tokenizers",),
    "cuda": ("jax_cuda12_plugin",),
}


@dataclass(frozen=True)
class Doctor:
    """Print versions, devices, settings, cache and extras; paste it into an issue."""

    json: bool = False
    """Print JSON."""

    def run(self) -> int:
        found = _findings()
        if self.json:
            print_json(found)
            return _exit.OK
        for title, facts in found.items():
            show(table((title, ""), facts.items()))
        return _exit.OK


def _findings() -> dict[str, dict[str, Any]]:
    from tensorem import runtime

    settings = {s.name: f"{s.value or '(none)'}   [{s.chosen_by}]" for s in runtime.settings()}
    return {
        "versions": {"python": sys.version.split()[0], **{p: _version(p) for p in PACKAGES}},
        "machine": {"system": platform.platform(), **_devices()},
        "settings": settings,
        "compile cache": _cache(),
        "extras": {name: _present(modules) for name, modules in EXTRAS.items()},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _devices() -> dict[str, Any]:
    import jax

    kinds = [f"{device.platform}:{device.id} {device.device_kind}" for device in jax.devices()]
    return {"devices": ", ".join(kinds)}


def _cache() -> dict[str, Any]:
    from tensorem import runtime

    cache = runtime.compile_cache()
    files = [file for file in Path(cache.value).glob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files) / 2**20
    programs = f"{len(files)} files, {size:.1f} MiB"
    return {"folder": cache.value, "chosen by": cache.chosen_by, "programs": programs}


def _present(modules: tuple[str, ...]) -> str:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return f"missing ({', '.join(missing)})" if missing else "present"
