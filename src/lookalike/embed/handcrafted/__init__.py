"""Descriptors computed by formula: no weights, NumPy and Pillow only."""
