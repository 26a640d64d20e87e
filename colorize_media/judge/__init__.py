"""Is it black and white?

monochrome  one picture or frame, by its colours
tone        the colour of a tint at each lightness
negative    a colour negative that nobody has inverted
overlays    what lies on a picture or beside it and decides nothing: subtitles, logos, stickers, an album's paper
uneven      a print whose tone has faded unevenly
noise       what is left of a film's colours without it
documents   a page or a line drawing rather than a photograph
survey      a whole film, by samples
decision    the one answer, with the options
"""
