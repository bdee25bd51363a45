"""Layer jobs carried out: by whom, in which order, under which lock, and what became of each."""
