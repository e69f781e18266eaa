"""System Mail beside OCA's addons that handle outgoing mail too: script/test --oca.

Each file needs the addon it is named after, so the ordinary run leaves them out.
"""
