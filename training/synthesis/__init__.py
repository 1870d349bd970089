"""Generated material: recordings of synthetic performers, their instruments' sound, mobiles, camera variation."""
