"""Program over many workers → Timeline: real processes, torch inside, messages by gloo."""
