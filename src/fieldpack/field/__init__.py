"""The semantic field: numbers only. Resonance, attractors, boundary, residue, and the state that survives a turn."""
