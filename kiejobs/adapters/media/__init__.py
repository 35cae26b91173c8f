"""Pictures, videos and sound: looked at, held against requests, drawn for rehearsals.

Face: `pictures`, `clips`, `MediaProcess`.
"""
