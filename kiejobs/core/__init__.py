"""The pure floor: values in, values out. No clock, disk, network, environment or log.

Face: `diagnostics`, `fingerprint`, `address`, `jobfile`, `money`, `urls`.
"""
