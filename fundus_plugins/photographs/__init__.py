"""Everything that is read from disk: folders, photographs, masks and label sheets, and what is wrong with them."""
