"""A run of prediction on Ray: many processes on one machine or several, rows in the parts of one Parquet table."""
