"""Lightness in, colours out: the network on a device.

seen       what the network sees of a picture
tones      a faded picture's tones, widened for the network
colorizer  batches of lightness to colours on a coarse grid
engines    what computes the network
device     CPU, CUDA, MPS and their precisions
pace       how fast the ways to compute one thing are here
refine     neighbouring cells agree on a colour
export     the network for other programs
"""
