"""The benchmark behind `fieldpack bench`: real data sets, the real peer libraries, one embedder, one token counter."""
