"""What every service stands on: folders, the network they meet on, the target that starts them."""
