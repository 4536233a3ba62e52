"""Running: tasks and their keys, chunks of them, and getting their runs from a store or by training."""
