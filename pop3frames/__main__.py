"""`python -m pop3frames` is the command `pop3frames`."""

from pop3frames.cli.main import main

main(prog_name="pop3frames")
