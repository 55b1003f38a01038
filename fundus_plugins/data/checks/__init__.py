"""Is a data set what it should be? Photographs examined one by one, and what that says of the set."""
