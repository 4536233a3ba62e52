"""The lanes engine: each SIMD lane trains one member."""
