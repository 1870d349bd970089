"""Signal processing of sound: the tick-addressed ring, resampling, levels, echo cancelling."""
