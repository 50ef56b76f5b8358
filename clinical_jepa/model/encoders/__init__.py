"""One encoder a kind of arrival; each returns one vector an item."""
