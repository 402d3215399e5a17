"""Documents as numbers, without a query: `read` makes a `Corpus`, `join` puts two together."""
