"""The output folder: files downloaded, verified, and found again.

Face: `FileArtifacts`, `OutputFolder`, `write_atomically`, `sync_folder`.
"""
