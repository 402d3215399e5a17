"""python -m fieldpack."""

from fieldpack.cli import main

main()
