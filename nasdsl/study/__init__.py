"""The run: store, loop, executors, report."""
