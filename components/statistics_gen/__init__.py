"""StatisticsGen: what the index says of each example, as TFDV's statistics; no image is read."""
