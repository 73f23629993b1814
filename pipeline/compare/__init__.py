"""A comparison of arms: rows, statistics, report, tables, figures and advice, and what the paper reports."""
