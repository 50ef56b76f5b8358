"""One file a channel. A channel is a function of a message that returns when the receiver has it for good, else raises."""
