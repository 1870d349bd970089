"""The reverse loop's scores: does the music move the still, do things move as things, and is the picture kept?"""
