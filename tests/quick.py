"""How small programs of the tests are compiled."""

QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
"""Most of a law's time is spent in compiling small programs."""
