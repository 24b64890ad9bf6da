"""Data on the device, the training loop, sharpness-aware steps."""
