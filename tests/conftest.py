"""What all tests share: property tests are not timed, since a busy machine proves nothing."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("kiejobs", deadline=None)
settings.load_profile("kiejobs")
