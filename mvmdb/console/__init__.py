"""The command line: options, progress and wording; `commands/` has one file per command, and cli.py gathers them."""
