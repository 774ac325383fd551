"""tensorem: one model, many meanings: run it, differentiate it, prove it."""
