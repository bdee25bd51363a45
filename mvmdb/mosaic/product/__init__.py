"""The product file: its header and tables, written, read and summarised."""
