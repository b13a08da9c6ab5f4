"""`python -m hwsim` is `hwsim`."""

from hwsim.cli import main

main(prog_name="hwsim")
