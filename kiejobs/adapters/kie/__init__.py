"""The vendor's API: one attempt a call, the outcome as a value.

Face: `KieApi`, `KieUploads`, `create_outcome`, `poll_outcome`.
"""
