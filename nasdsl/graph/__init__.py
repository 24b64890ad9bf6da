"""Graphs of networks: costs, canonical form, drawing."""
