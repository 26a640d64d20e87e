"""Training and evaluation of the networks. Imports models, color and errors; never av."""
