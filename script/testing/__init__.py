"""Runs of pytest: what script/test starts, watches and counts."""
