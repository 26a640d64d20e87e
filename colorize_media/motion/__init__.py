"""Colours over time: shots, optical flow, averaging along the motion.

state      what stages carry from frame to frame, written down
shots      cuts and dissolves
flow       optical flow and how far it is believed
keyframes  the network on some frames, colours carried to the others
averaging  recursive averages along the motion
anchors    a hue for a whole shot
smoothing  the ways of steadying: off, fast, best
"""
