"""The proofs: programs that try to make kiejobs pay twice or lose a task, and count.

Each is one command, `python -m tests.proofs.NAME`, large by default; its small version is a test beside
it (`test_NAME.py`) that CI runs. The oracle is always the log of the API's stand-in, written before each
reply, never our own journal. With `--record` a program leaves its figures in `latest/NAME.json`, which
is what docs/explanation/never-pay-twice.md tells.
"""
