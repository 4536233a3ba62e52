"""The processor's vector instructions, the BLAS kernels that use them, and the rate of a matrix product."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from chainrule.control_groups import ROOT, read

CORE_TYPE = "OPENBLAS_CORETYPE"
AVX512, AVX2, AVX, SSE = "AVX-512", "AVX2", "AVX", "SSE"
LEVELS = (SSE, AVX, AVX2, AVX512)
FAMILIES = {AVX512: "SkylakeX", AVX2: "Haswell", AVX: "Sandybridge"}
"""For each level of x86 vector instructions, the OpenBLAS kernel family that uses it."""

_FAMILY_LEVELS = {
    AVX512: ("skylakex", "cooperlake", "sapphirerapids"),
    AVX2: ("haswell", "zen", "excavator"),
    AVX: ("sandybridge", "bulldozer", "piledriver", "steamroller"),
    SSE: ("prescott", "core2", "penryn", "dunnington", "nehalem", "athlon", "opteron", "barcelona", "bobcat", "atom"),
}
_NEEDED = {AVX512: {"avx512f", "avx512bw", "avx512dq", "avx512vl"}, AVX2: {"avx2", "fma"}, AVX: {"avx"}}
_SHOWN = {"sse4.2": "SSE4.2", "avx": "AVX", "avx2": "AVX2", "fma": "FMA", "f16c": "F16C", "amx-tile": "AMX"}
_SHOWN |= {"neon": "NEON", "asimd": "NEON", "sve": "SVE", "sve2": "SVE2"}

PRODUCT_SIZE, PRODUCT_SECONDS = 512, 0.12


def cpu_features(root: Path = ROOT) -> tuple[str, frozenset[str]]:
    """Return the processor's name and instruction sets as LLVM sees them, else as Linux lists them."""
    try:
        from llvmlite import binding

        return binding.get_host_cpu_name(), frozenset(k for k, v in binding.get_host_cpu_features().items() if v)
    except Exception:  # not installed, broken, or a processor that this LLVM does not know
        return "", listed_features(read(root / "proc/cpuinfo"))


def listed_features(cpuinfo: str) -> frozenset[str]:
    """Return the instruction sets in the text of ``/proc/cpuinfo``, by LLVM's names."""
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return frozenset(
                word.replace("avx512_", "avx512").replace("sse4_", "sse4.").replace("amx_", "amx-")
                for word in value.split()
            )
    return frozenset()


def simd_level(features: frozenset[str]) -> str | None:
    """Return the highest level of x86 vector instructions among these instruction sets; None for no x86."""
    if not features & {"sse2", "avx"}:
        return None
    return next((level for level, needed in _NEEDED.items() if needed <= features), SSE)


def features_text(features: frozenset[str]) -> str:
    """Write the instruction sets that matter here: ``AVX2, FMA, AVX-512 (F, BW, DQ, VL)``."""
    shown = list(dict.fromkeys(text for name, text in _SHOWN.items() if name in features))
    parts = sorted(name.removeprefix("avx512") for name in features if name.startswith("avx512"))
    if parts:
        shown.append(f"{AVX512} ({', '.join(part.upper() for part in parts)})")
    return ", ".join(shown) or "unknown"


def family_level(architecture: str) -> str | None:
    """Return the level of vector instructions that an OpenBLAS kernel family uses; None for one not known here."""
    name = architecture.lower()
    return next((level for level, families in _FAMILY_LEVELS.items() if name.startswith(families)), None)


def product_rate(seconds: float = PRODUCT_SECONDS, size: int = PRODUCT_SIZE) -> float:
    """Return GFLOP/s of a float32 product of two square matrices in NumPy: the best of what fits in the time."""
    import numpy as np

    A = np.ones((size, size), dtype=np.float32)
    B = A @ A  # starts the library's threads
    begun, best = time.perf_counter(), float("inf")
    while best == float("inf") or time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        np.matmul(A, A, out=B)
        best = min(best, time.perf_counter() - start)
    return 2.0 * size**3 / max(best, 1e-9) / 1e9


def product_rate_with(variables: Mapping[str, str]) -> float | None:
    """Measure `product_rate` in another Python with these environment variables; None if that cannot be."""
    code = "from chainrule.vector_units import product_rate; print(product_rate())"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return float(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
