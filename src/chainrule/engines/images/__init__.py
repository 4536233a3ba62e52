"""Networks that know places, one at a time: the lanes of a vector are samples of a batch."""
