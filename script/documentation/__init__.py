"""Checks the documentation and makes what is made of it; script/lint runs it.

The modules of this package run in the linters' Python, which has docutils.
"""
