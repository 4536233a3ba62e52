"""Studies of the statistics: simulations with known truth, run by hand; their tables are in docs/statistics.md."""
