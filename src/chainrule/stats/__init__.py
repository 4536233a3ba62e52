"""Intervals and paired comparisons: numbers in, statements out."""
