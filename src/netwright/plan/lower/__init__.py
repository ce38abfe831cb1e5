"""Graph → ordered steps over buffers → Program: one family of operators a file."""
