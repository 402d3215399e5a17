"""fieldpack: query + documents + token budget -> the evidence, verbatim, inside the budget, with its reasons."""
