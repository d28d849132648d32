"""Training, evaluation and prediction: what `models.Model` does with data.

`data` adapts user data, `sources` give its batches, `setup` holds what `compile` was told, `loop` runs the
epochs, and `engine` computes them.
"""
