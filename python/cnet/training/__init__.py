"""Training, evaluation and prediction: what `models.Model` does with data.

`data` adapts user data, `sources` give its batches, `setup` holds the arguments of `compile`, `loop` runs the
epochs, and `engine` computes them.
"""
