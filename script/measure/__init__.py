"""How fast the addon is (script/bench), and what it does in bad weather (script/chaos).

The modules of this package run in the sandbox's Python, with ``script`` and ``tests`` on its path.
"""
