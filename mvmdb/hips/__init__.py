"""HiPS: a pyramid of tiles of a filter's mosaics, for sky atlases such as Aladin."""
