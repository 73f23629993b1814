"""The TransferReport: what a run or a comparison found, as one page, a model card and a data block."""
