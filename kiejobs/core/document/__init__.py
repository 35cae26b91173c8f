"""YAML as values that know their line and column, and schemas that check them.

Face: `read_document`, `read_checked`, `Document`, `YamlMap`, `YamlSeq`, `Source`.
"""
