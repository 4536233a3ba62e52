"""Vector instructions and kernel families, from what processors say of themselves."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from chainrule.vector_units import (
    AVX,
    AVX2,
    AVX512,
    FAMILIES,
    SSE,
    cpu_features,
    family_level,
    features_text,
    listed_features,
    product_rate,
    product_rate_with,
    simd_level,
)

NEHALEM = "fpu sse sse2 sse4_1 sse4_2 popcnt"
SANDY = f"{NEHALEM} avx"
HASWELL = f"{SANDY} avx2 fma f16c"
SKYLAKE = f"{HASWELL} avx512f avx512dq avx512cd avx512bw avx512vl"
SAPPHIRE = f"{SKYLAKE} avx512_vnni avx512_bf16 amx_tile"


def listed(flags: str) -> frozenset[str]:
    return listed_features(f"processor\t: 0\nmodel name\t: A processor\nflags\t\t: {flags}\nbogomips\t: 4\n")


@pytest.mark.parametrize(
    ("flags", "level", "text"),
    [
        (NEHALEM, SSE, "SSE4.2"),
        (SANDY, AVX, "SSE4.2, AVX"),
        (HASWELL, AVX2, "SSE4.2, AVX, AVX2, FMA, F16C"),
        (HASWELL.replace(" fma", ""), AVX, "SSE4.2, AVX, AVX2, F16C"),
        (SKYLAKE, AVX512, "SSE4.2, AVX, AVX2, FMA, F16C, AVX-512 (BW, CD, DQ, F, VL)"),
        (SAPPHIRE, AVX512, "SSE4.2, AVX, AVX2, FMA, F16C, AMX, AVX-512 (BF16, BW, CD, DQ, F, VL, VNNI)"),
        (f"{HASWELL} avx512f avx512cd avx512er", AVX2, "SSE4.2, AVX, AVX2, FMA, F16C, AVX-512 (CD, ER, F)"),
    ],
)
def test_levels_of_known_processors(flags: str, level: str, text: str) -> None:
    assert simd_level(listed(flags)) == level
    assert features_text(listed(flags)) == text


def test_other_processors() -> None:
    arm = listed_features("processor\t: 0\nFeatures\t: fp asimd sve sve2\n")
    assert (simd_level(arm), features_text(arm)) == (None, "NEON, SVE, SVE2")
    assert features_text(frozenset({"neon", "asimd"})) == "NEON"
    assert (listed_features(""), simd_level(frozenset()), features_text(frozenset())) == (frozenset(), None, "unknown")


@pytest.mark.parametrize(
    ("architecture", "level"),
    [
        ("Haswell", AVX2),
        ("Zen", AVX2),
        ("SkylakeX", AVX512),
        ("Cooperlake", AVX512),
        ("SapphireRapids", AVX512),
        ("Sandybridge", AVX),
        ("Nehalem", SSE),
        ("Opteron_SSE3", SSE),
        ("neoversen1", None),
        ("", None),
    ],
)
def test_levels_of_kernel_families(architecture: str, level: str | None) -> None:
    assert family_level(architecture) == level


def test_the_family_for_a_level_uses_that_level() -> None:
    assert {level: family_level(family) for level, family in FAMILIES.items()} == {level: level for level in FAMILIES}


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="only Linux lists its processor's features")
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names are compared on x86 only")
def test_llvm_and_linux_see_the_same_processor() -> None:
    _, llvm = cpu_features()
    linux = listed_features(Path("/proc/cpuinfo").read_text())
    for feature in ("sse2", "sse4.2", "avx", "avx2", "fma", "avx512f", "avx512vl", "avx512bw"):
        assert (feature in llvm) == (feature in linux), feature
    assert simd_level(llvm) == simd_level(linux)


def test_a_rate_is_a_rate() -> None:
    assert 0 < product_rate(seconds=0.001, size=16) < 1e9


def test_a_rate_in_another_process() -> None:
    rate = product_rate_with({"OPENBLAS_NUM_THREADS": "1"})
    assert rate is not None
    assert 0 < rate < 1e9


def test_a_process_that_fails_has_no_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    assert product_rate_with({"PYTHONHOME": "/nowhere"}) is None
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert product_rate_with({}) is None
