"""The page that shows what came of every file.

writing     hears the run; then the page and its JSON
rows        what came of every file
page        the rows as HTML
pairs       small pictures of every row, before and after
thumbnails  one small picture
"""
