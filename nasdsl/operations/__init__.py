"""What operations are, said without torch."""
