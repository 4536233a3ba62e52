"""Engines: each trains a population; the reference engine is the truth."""
