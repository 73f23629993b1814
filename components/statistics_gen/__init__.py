"""StatisticsGen: computes TFDV's statistics from the index, without reading images."""
