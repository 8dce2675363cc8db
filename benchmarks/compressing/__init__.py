"""How fast perfkit.compress is, and what it gains."""
