"""The web: one guarded client, the addresses that it may ask, errors in words.

Face: `GuardedClient`, `AddressRule`, `HostRefused`, `in_words`.
"""
