"""Few numbers that learn in the place of many."""
