"""Plugins for photo libraries and file managers: small files for the hosts, and their installer.

`hosts` says which files go where, `parts` how each of them gets into and out of what is there already, `installer` does it.
"""
