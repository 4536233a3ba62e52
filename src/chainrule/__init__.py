"""A neural-network laboratory: small networks, hand-derived backpropagation, and answers with error bars."""
