"""Verdicts: two settings compared, many ranked, spread split by its sources, claims audited."""
