"""The laboratory: every question of the five reports, answered with error bars."""
