"""Files to documents: what a file is, how its bytes become text, what was left out. `read` is the entrance."""
