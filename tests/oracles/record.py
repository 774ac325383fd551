"""Write reference.npz: what PyTorch computes for every case, for machines without PyTorch.

Run: python tests/oracles/record.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from layer_oracle import CASES, torch_results

FILE = Path(__file__).with_name("reference.npz")


def main() -> None:
    found = {
        f"{case.name}/{name}": array
        for case in CASES
        for name, array in torch_results(case, torch).items()
    }
    np.savez_compressed(FILE, allow_pickle=False, **found)
    print(f"{FILE}: {len(found)} arrays from PyTorch {torch.__version__}")


if __name__ == "__main__":
    main()
