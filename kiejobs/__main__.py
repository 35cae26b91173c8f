"""`python -m kiejobs`, and the console script. In: the command line. Out: an exit code."""

from kiejobs.cli.main import main

if __name__ == "__main__":
    main()
