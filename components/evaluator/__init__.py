"""Evaluator: the metrics of a target model, and whether it may replace the last one."""
