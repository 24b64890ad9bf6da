"""Zero-cost proxies: what an untrained network and one batch of data already tell."""
