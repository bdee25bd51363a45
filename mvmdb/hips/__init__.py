"""HiPS: a pyramid of tiles of a filter's mosaics, for sky atlases such as Aladin.

`make.py` decides which tiles are due and has them made; the format is IVOA's HiPS 1.0
(https://www.ivoa.net/documents/HiPS/20170519/).
"""
