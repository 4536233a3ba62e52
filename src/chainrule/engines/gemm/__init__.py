"""The gemm engine: wide networks and single networks; the lanes of a vector are units of a layer."""
