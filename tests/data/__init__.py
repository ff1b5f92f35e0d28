"""Recorded generations as pools: one module a data set. Each `load` takes the folder that holds the data sets."""
