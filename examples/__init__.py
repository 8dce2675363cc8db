"""What perfkit does, on real data."""
