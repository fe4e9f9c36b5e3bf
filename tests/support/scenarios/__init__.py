"""Works to measure, each as a function with its sizes as arguments, for the acceptance tests and the benchmarks.

Each returns its figures by name. Times are seconds, rates are starts a second.
"""
