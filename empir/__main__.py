"""`python -m empir` is `empir`."""

from empir.cli import main

main(prog_name="empir")
