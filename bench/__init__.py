"""Ratios of speed in one run, and the figures of docs/performance.md: `python -m bench`."""
