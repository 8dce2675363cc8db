"""Real weights and photographs, read out of installed packages."""
