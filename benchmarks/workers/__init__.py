"""One process a library, so that each is measured alone and none can crash another."""
