"""Is it black and white?

monochrome  one picture or frame, by its colours
documents   a page or a line drawing rather than a photograph
survey      a whole film, by samples
decision    the one answer, with the options
"""
