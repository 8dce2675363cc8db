"""How fast perfkit is, and what it gains."""
