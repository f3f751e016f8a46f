"""Clips on disk: WebDataset shards with a Parquet index, made by many processes and readable by common trainers."""
