"""Data sets: points, images, tables, and how they are split."""
