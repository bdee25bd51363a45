"""What stands beside products on request: which files, which of them are due, and how they are made and removed."""
