"""The families of features; a module is a family, a function that wears `@feature` is a feature."""
