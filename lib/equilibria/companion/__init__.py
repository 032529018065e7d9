"""The companion of the paper: parameters, results, figures, claims, notebooks, command line."""
