"""`python -m evalkit.testing` serves until it is stopped."""

from evalkit.testing.messages_server import main

if __name__ == "__main__":
    main()
