"""`python -m tensorem.check graph.json model.safetensors certificate [--exact]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ._check import Result, check_files
from ._errors import MalformedError, UnsupportedError

ACCEPTED, REJECTED, BAD_INPUT, FAILED = 0, 1, 2, 70


def main(arguments: Sequence[str] | None = None) -> int:
    """Check one certificate: 0 accepted, 1 rejected, 2 malformed or unsupported, 70 no verdict."""
    given = _parser().parse_args(arguments)
    try:
        return _answer(check_files(given.graph, given.weights, given.certificate, _mode(given)))
    except MalformedError as error:
        return _no_verdict("malformed", error, BAD_INPUT)
    except UnsupportedError as error:
        return _no_verdict("unsupported", error, BAD_INPUT)
    except MemoryError:
        why = "the check takes more memory than there is"
        return _no_verdict("unsupported", why, BAD_INPUT)
    except Exception as error:  # Python would exit with 1, which is a verdict
        return _no_verdict("failed", f"{type(error).__name__}: {ascii(str(error))[:500]}", FAILED)


def _mode(given: argparse.Namespace) -> str:
    return "exact" if given.exact else "float64"


def _answer(result: Result) -> int:
    print(f"{'accepted' if result.accepted else 'rejected'}: {result.reason}", flush=True)
    return ACCEPTED if result.accepted else REJECTED


def _no_verdict(kind: str, why: object, code: int) -> int:
    print(f"{kind}: {why}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tensorem.check",
        description="Check a certificate, trusting none of the code that made it.",
        epilog="Exit code: 0 accepted, 1 rejected, 2 malformed or unsupported, 70 no verdict.",
    )
    parser.add_argument("graph", help="graph.json")
    parser.add_argument("weights", help="model.safetensors")
    parser.add_argument("certificate", help="the certificate (safetensors)")
    parser.add_argument("--exact", action="store_true", help="in rationals, slowly: the referee")
    return parser


if __name__ == "__main__":
    sys.exit(main())
