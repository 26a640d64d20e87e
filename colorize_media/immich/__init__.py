"""The black-and-white pictures of an Immich library.

api  the server's HTTP interface
job  find, fetch, colour, upload, stack
"""
