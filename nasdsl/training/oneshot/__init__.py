"""Training of supernets: by bilevel optimization (DARTS), and by sandwiches of paths."""
