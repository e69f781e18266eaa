"""What script/translate does in the sandbox's Python."""
