"""Detects an address's provider, signs in with it, and checks a domain's DNS. Plain Python."""
