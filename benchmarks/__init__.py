"""What the engine costs, measured; tests never assert on time."""
