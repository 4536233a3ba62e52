"""Sweeps: a whole recipe run, by grid, by need or by a sampler, and what its runs say."""
