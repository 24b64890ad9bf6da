"""From graphs to torch.fx modules."""
