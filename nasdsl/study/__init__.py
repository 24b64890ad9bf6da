"""The run: a durable store, the loop over it, executors, and the report."""
