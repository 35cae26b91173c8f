"""The combinations of a job: GitHub Actions' algorithm, made strict.

Face: `Rows`, `with_data`, `AxisValues`, `DataValues`.
"""
