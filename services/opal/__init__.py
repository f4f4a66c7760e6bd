"""OPAL: product pictures in the look of a brand, from the upload through the model to the exports, by tenant."""
