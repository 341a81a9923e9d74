"""Messages out: what people are told, by which channels, kept until each has it."""
