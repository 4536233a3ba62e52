"""Recipes: what is trained, what varies, and what is asked; read, checked and written out as cells."""
