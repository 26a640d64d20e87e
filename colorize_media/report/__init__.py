"""The page that shows what came of every file.

rows        what came of every file, as rows
thumbnails  small pictures, before and after
page        the rows as HTML
"""
