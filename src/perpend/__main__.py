"""`python -m perpend` is `perpend`."""

from perpend.cli import main

if __name__ == "__main__":
    main()
