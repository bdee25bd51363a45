"""Folders for drizzlepac: for each sky cell the poller file and, under the names in it, the files of all its rows."""
