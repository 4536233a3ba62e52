"""The sections of the report, each in a module of its own: which recipes it runs and what it shows of them."""
