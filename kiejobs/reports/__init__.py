"""Results in, words out. The only floor that words things for people."""
