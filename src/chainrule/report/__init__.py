"""Records to figures to one self-contained HTML file."""
