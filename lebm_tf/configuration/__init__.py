"""What a run is told: fields, their flags and help, and how they are read."""
