"""Problems in words: for people, for GitHub, for code scanning."""
