"""What a layer costs: time, memory and parameters of a step of training."""
