"""Pictures of the ward page as SVG (and PNG for images), made on the server so that they need no script.

Colours and strokes come from ``pages/static/ward.css`` by class, so that they follow light and dark.
"""
