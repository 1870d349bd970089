"""What others can hold on to: the show's controls and what it plays, by OSC."""
