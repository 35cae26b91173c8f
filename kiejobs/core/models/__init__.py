"""What a model takes: the schema of its request, rules across fields, file fields.

Face: `Spec`, `read_spec`, `RequestChecker`, `read_model`, `rules_of`.
"""
