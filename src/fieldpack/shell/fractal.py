"""fractal.json."""
