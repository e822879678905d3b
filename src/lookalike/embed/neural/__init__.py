"""Embedders that run a trained network from a file."""
