"""The two workloads in plain JAX, as an engineer who knows XLA:CPU would write them by hand."""
