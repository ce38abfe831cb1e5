"""Text in → tokens, one by one, out: tokenisers, sampling, stop strings, chat templates."""
