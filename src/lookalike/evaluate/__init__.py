"""How good a search is: metrics, intervals, paired tests, protocols, ground truth and reports."""
