"""What both compiled engines share: vectors, functions on them, optimizer steps, and the cache of compiled kernels."""
