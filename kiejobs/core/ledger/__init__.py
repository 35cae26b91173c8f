"""What happened to purchases: events, and the state folded from them.

Face: `fold`, `Ledger`, `Attempt`, `History`, `events`, `outcomes`.
"""
