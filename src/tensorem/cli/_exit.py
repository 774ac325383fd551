"""What the exit code of a command says."""

from __future__ import annotations

OK = 0
REFUTED = 1
BAD_INPUT = 2
UNKNOWN = 3
BUG = 70
INTERRUPTED = 130
BROKEN_PIPE = 141

CODES = """Exit codes:
  0    done, proved or accepted
  1    refuted or rejected; of diff: not the same
  2    bad input
  3    unknown
  70   a bug in tensorem
  130  interrupted (Ctrl-C)
  141  nobody read the output
  143  terminated (SIGTERM)"""
