"""`python -m tensorem.check graph.json model.safetensors certificate [--exact]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ._check import check_files
from ._errors import MalformedError, UnsupportedError

ACCEPTED, REJECTED, BAD_INPUT = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Check one certificate: 0 accepted, 1 rejected, 2 malformed or unsupported."""
    given = _parser().parse_args(arguments)
    mode = "exact" if given.exact else "float64"
    try:
        result = check_files(given.graph, given.weights, given.certificate, mode)
    except (MalformedError, UnsupportedError) as error:
        kind = "malformed" if isinstance(error, MalformedError) else "unsupported"
        print(f"{kind}: {error}", file=sys.stderr)
        return BAD_INPUT
    except MemoryError:
        print("unsupported: the check takes more memory than there is", file=sys.stderr)
        return BAD_INPUT
    print(f"{'accepted' if result.accepted else 'rejected'}: {result.reason}")
    return ACCEPTED if result.accepted else REJECTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tensorem.check",
        description="Check a certificate, trusting none of the code that made it.",
        epilog="Exit code: 0 accepted, 1 rejected, 2 malformed or unsupported.",
    )
    parser.add_argument("graph", help="graph.json")
    parser.add_argument("weights", help="model.safetensors")
    parser.add_argument("certificate", help="the certificate (safetensors)")
    parser.add_argument("--exact", action="store_true", help="in rationals, slowly: the referee")
    return parser


if __name__ == "__main__":
    sys.exit(main())
