"""The contestants by name; PyTorch and JAX are imported only by those that use them."""

from __future__ import annotations

from importlib import import_module

from benchmarks.contestants._base import Contestant, Losses

PLACES: dict[str, tuple[str, str]] = {
    "chainrule": ("ours", "Chainrule"),
    "reference": ("ours", "Reference"),
    "numpy": ("numpy_loop", "NumpyLoop"),
    "scikit-learn": ("sklearn_mlp", "SklearnMlp"),
    "pytorch": ("torch_loop", "TorchLoop"),
    "pytorch batched": ("torch_batched", "TorchBatched"),
    "farias": ("torch_farias", "TorchFarias"),
    "pytorch images": ("torch_images", "TorchImages"),
    "pytorch channels last": ("torch_images", "TorchChannelsLast"),
    "pytorch grouped": ("torch_images", "TorchGrouped"),
    "jax": ("jax_scan", "JaxScan"),
    "jax broadcast": ("jax_tuned", "JaxBroadcast"),
    "jax threads": ("jax_tuned", "JaxThreads"),
    "jax padded": ("jax_padded", "JaxPadded"),
    "jax shapes": ("jax_padded", "JaxShapes"),
    "jax lanes": ("jax_lanes", "JaxLanes"),
    "jax images": ("jax_images", "JaxImages"),
    "jax images threads": ("jax_images", "JaxImagesThreads"),
    "jax patches": ("jax_images", "JaxPatches"),
    "jax patches threads": ("jax_images", "JaxPatchesThreads"),
}
OURS = "chainrule"

__all__ = ["OURS", "PLACES", "Contestant", "Losses", "contestant"]


def contestant(name: str) -> type[Contestant]:
    """Return a contestant's class.

    Raises
    ------
    ImportError
        If its library is not installed.
    """
    module, cls = PLACES[name]
    found: type[Contestant] = getattr(import_module(f"benchmarks.contestants.{module}"), cls)
    return found
