"""Operator kinds, one family a file: what each infers, which einsums it is, what it means."""
