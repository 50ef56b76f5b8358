"""A ward whose truth is known, written as real files. Imports nothing else of the project."""
