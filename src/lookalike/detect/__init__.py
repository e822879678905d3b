"""Finding the subject of a picture."""
