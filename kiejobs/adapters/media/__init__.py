"""Collected media and local pictures, decoded.

Face: `decode`, `pictures`.
"""
