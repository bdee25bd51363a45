"""Files that lie in buckets and on the web, beside those on disks: addresses, parts of files, and copies in a cache."""
