"""`python -m mvmdb` is the command `mvmdb`."""

from mvmdb.cli import main

if __name__ == "__main__":
    main()
