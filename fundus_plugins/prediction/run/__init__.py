"""A run of prediction: photographs to rows, pictures and files, which goes on where it was stopped."""
