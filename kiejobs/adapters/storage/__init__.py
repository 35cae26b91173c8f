"""Outputs, in a folder or in an object store: files downloaded, verified, and found again.

Face: `FileArtifacts`, `OutputFolder`, `StoredOutputs`, `write_atomically`, `sync_folder`.
"""
