"""What the model keeps of a stay, at constant size: registers R, facts F and fast weights S."""
