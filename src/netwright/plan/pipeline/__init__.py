"""Stage times → a schedule of pipeline passes, certified, lowered to a program."""
