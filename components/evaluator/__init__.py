"""Evaluator: measures a target model, and decides whether it may replace the last one."""
