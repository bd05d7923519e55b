"""`python -m secure_chat` is `secure-chat`."""

from secure_chat.cli import main

if __name__ == "__main__":
    main()
