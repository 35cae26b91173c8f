"""One file per verb: wires adapters to the core, in plain sight."""
