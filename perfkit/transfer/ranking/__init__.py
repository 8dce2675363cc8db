"""Which pretrained model suits some data."""
