"""How fast this is, as ratios against peers measured beside it in one run: seconds of one machine mean nothing on another."""
