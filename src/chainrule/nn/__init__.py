"""The mathematics: activations, losses, initializers, layers and networks in plain NumPy."""
