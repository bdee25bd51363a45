"""The commands of the command line, in rooms by what they serve; cli.py gathers them."""
