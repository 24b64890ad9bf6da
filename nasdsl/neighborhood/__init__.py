"""Edit rules and the neighborhoods they span."""
