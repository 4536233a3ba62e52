"""Recipes, grids and the runner that trains them."""
