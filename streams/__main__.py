"""`python -m hegui.streams`: the command `hegui`."""

from hegui.streams.cli import main

main()
