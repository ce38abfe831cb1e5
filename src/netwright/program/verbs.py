"""The one upward door: a program's verbs (docs/design.md, "The floors")."""
