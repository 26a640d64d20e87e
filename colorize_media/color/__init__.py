"""Colour arithmetic, the only one of the project; knows arrays, never a file.

spaces   Y'CbCr, R'G'B', XYZ, CIELAB, exactly, in torch
lab      CIELAB of small pictures, quickly
table    the same for whole planes on the CPU, tabulated
light    a tint kept as coloured light
scaling  planes averaged down
planes   the planes of PyAV's frames
"""
