"""The networks in other libraries on JAX, as their users write them for speed."""
