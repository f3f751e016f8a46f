"""The closed domain of the packaged tiny model: few shapes, colours, grounds and camera moves."""
