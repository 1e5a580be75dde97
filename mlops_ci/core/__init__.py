"""Pure decisions and the types that they are made of: no input, no output, no clock, no randomness of its own."""
