"""The rows of the option table, a file for each heading of `--help`."""
