"""The cases in motion: frames measured once from the shipped weights, and what plays them.

`measures` iterates each case and measures steepness and error along t, `store` keeps the frames in
small files, `players` makes the site's players of them, `animation` the README's animated picture.
``equilibria animate`` does all of it.
"""
