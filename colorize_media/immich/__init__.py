"""The black-and-white pictures of an Immich library.

api    the server's HTTP interface
state  what earlier runs did
plan   which pictures, and what is to be done with each
job    fetch, colour, upload, stack
"""
