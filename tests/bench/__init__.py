"""Measurements of the hot paths, each beside a yardstick of the same run: `make bench`."""
